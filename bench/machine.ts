import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';

/** What figures depend on: the processor, its vector units, memory, Node and the TensorFlow that is linked. */
export function describeMachine() {
  return {
    cpu: cpus()[0].model,
    cores: availableParallelism(),
    flags: vectorFlags(),
    memory_gib: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    tensorflow: linkedTensorflow(),
  };
}

/** The vector and matrix extensions kernels choose by. */
function vectorFlags(): string[] {
  const flags =
    readFileSync('/proc/cpuinfo', 'utf8')
      .match(/^flags\s*:(.*)$/m)?.[1]
      .split(' ') ?? [];
  return flags.filter((flag) => /^(avx2|fma|avx_vnni|avx512.*|amx.*)$/.test(flag));
}

function linkedTensorflow(): string | undefined {
  const manifest = createRequire(import.meta.url).resolve('@tensorflow/tfjs-node-gpu/package.json');
  const record = join(dirname(manifest), 'deps/wheels.json');
  if (!existsSync(record)) return undefined;
  const { version, flavour } = JSON.parse(readFileSync(record, 'utf8'));
  return `${version} (${flavour})`;
}
