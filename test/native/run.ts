// Builds and runs the checks of native ops (src/kernels/<op>/<op>_check.cc) without a card:
//
//   npx tsx test/native/run.ts emulation [stem …]   CUDA kernels emulated, every access checked, three thread orders
//   npx tsx test/native/run.ts compile [stem …]     CUDA kernels by NVRTC for every architecture; prints what they take
//   npx tsx test/native/run.ts host [stem …]        CPU kernels under AddressSanitizer and UBSan
//   npx tsx test/native/run.ts threads [stem …]     CPU kernels under ThreadSanitizer
//   npx tsx test/native/run.ts plain [stem …]       CPU kernels without sanitizers
//   npx tsx test/native/run.ts planted              kernels with planted mistakes (planted.cu), which must be found
//
// A stem is a folder of src/kernels, for example batch_norm_silu; without one, all. Exits with 1 when a check fails.
import { spawnSync } from 'node:child_process';
import { buildEmulation, buildHost, buildPlanted, checkedStems } from './build.js';
import { compileFor, table } from './resources.js';

const programs: Record<string, (stems: string[]) => Promise<string>> = {
  emulation: buildEmulation,
  host: (stems) => buildHost(stems),
  threads: (stems) => buildHost(stems, ['-fsanitize=thread']),
  plain: (stems) => buildHost(stems, []),
  planted: buildPlanted,
};

const [kind, ...chosen] = process.argv.slice(2);
if (kind !== 'compile' && !programs[kind]) {
  console.error(`expected compile or one of ${Object.keys(programs).join(', ')}, received ${kind}`);
  process.exit(2);
}
try {
  if (kind === 'compile') console.log(table(await compileFor(chosen.length > 0 ? chosen : undefined)));
  else process.exitCode = await runChecks(programs[kind], chosen.length > 0 ? chosen : checkedStems());
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}

async function runChecks(build: (stems: string[]) => Promise<string>, stems: string[]): Promise<number> {
  const start = performance.now();
  const program = await build(stems);
  console.error(`built in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  const { status, signal } = spawnSync(program, build === buildPlanted ? [] : stems, { stdio: 'inherit' });
  if (signal) console.error(`ended by ${signal}`);
  return status ?? 1;
}
