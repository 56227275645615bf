import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { suiteNeeding } from '../support/shared.js';
import { buildDriver, checkedStems } from './build.js';
import { runProgram } from './programs.js';
import { architectures, compileFor, documented, type Resources } from './resources.js';

/** What a block may have of a card's shared memory without asking for more at the launch, in bytes. */
const SHARED_LIMIT = 48 * 1024;
const KEEP = 'run: npx tsx test/native/resources.ts --write';

const root = resolve(import.meta.dirname, '../..');
const cudaKernels = join(root, 'scripts/setup/cuda_kernels.mjs');
const { compilerLibrary, installCompiler } = await import(cudaKernels);
await installCompiler().catch((error: Error) => console.log(error.message));

const compile = suiteNeeding('CUDA kernels compiled by NVRTC', [compilerLibrary()]);
const all: Resources[] = [];

for (const stem of checkedStems({ cuda: true })) {
  compile(`${stem}: every kernel compiles for every architecture`, async () => {
    const found = await compileFor([stem]);
    for (const architecture of architectures.filter((name) => name.startsWith('sm_'))) {
      assert.ok(
        found.some((row) => row.architecture === architecture),
        `${stem}.cu has no kernel for ${architecture}`,
      );
    }
    all.push(...found);
  });
}

compile('set-up compiles for the cards it finds', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'yolox-cards-'));
  symlinkSync(await buildDriver([]), join(dir, 'libcuda.so.1'));
  const print = `console.log(JSON.stringify(await (await import('${cudaKernels}')).localArchitectures()))`;
  const found = async (capability: string, library = dir) => {
    const env = { LD_LIBRARY_PATH: library, EMULATED_CAPABILITY: capability };
    const { stdout, stderr } = await runProgram(process.execPath, ['--input-type=module', '-e', print], env);
    assert.is(stderr, '');
    return JSON.parse(stdout);
  };
  assert.equal(await found('86'), ['sm_86']);
  assert.equal(await found('103'), ['sm_103']);
  assert.equal(await found('140'), ['compute_120'], 'a card later than the compiler');
  assert.equal(await found('90', '/nowhere'), [], 'no driver');
  rmSync(dir, { recursive: true });
});

compile('no kernel takes more than a block may have', () => {
  for (const { kernel, architecture, shared, registers } of all) {
    assert.ok(shared <= SHARED_LIMIT, `${kernel} takes ${shared} bytes of shared memory on ${architecture}`);
    assert.ok(registers > 0 && registers <= 255, `${kernel} takes ${registers} registers on ${architecture}`);
  }
});

compile('the table of docs/GPU.md has every kernel and no other', () => {
  const known = documented();
  const present = [...new Set(all.map(({ stem, kernel }) => `${stem} ${kernel}`))];
  const missing = present.filter((key) => !known.includes(key));
  const gone = known.filter((key) => !present.includes(key));
  assert.equal({ missing, gone }, { missing: [], gone: [] }, KEEP);
});

compile.run();
