import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { buildCudaCheck, buildDriver } from './build.js';
import { runProgram } from './programs.js';

/** Ops whose checks take a moment; the emulation tests run all of them. */
const STEMS = ['focus', 'upsample_concat'];

const cudaCheck = suite('cuda-check and the driver, on an emulated card');

let dir: string;
let program: string;

/** Kernel files as set-up leaves them; to the emulated card only their kind matters. */
const write = (name: string, image: string) => writeFileSync(join(dir, 'kernels', name), image);
const CUBIN = '\x7fELF';
const PTX = '.version 8.8';

const run = (args: string[], capability = 90, library = dir) =>
  runProgram(program, [...args.slice(0, -1), join(dir, 'kernels'), ...args.slice(-1)].filter(Boolean), {
    LD_LIBRARY_PATH: library,
    EMULATED_CAPABILITY: String(capability),
  });

cudaCheck.before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'yolox-cuda-check-'));
  program = await buildCudaCheck(STEMS);
  symlinkSync(await buildDriver(STEMS), join(dir, 'libcuda.so.1'));
});

cudaCheck.before.each(() => {
  rmSync(join(dir, 'kernels'), { recursive: true, force: true });
  mkdirSync(join(dir, 'kernels'));
});

cudaCheck.after(() => rmSync(dir, { recursive: true, force: true }));

cudaCheck('runs every check and times it', async () => {
  for (const stem of STEMS) write(`${stem}.sm_90.cubin`, CUBIN);
  const { code, stdout, stderr } = await run(['--json', '']);
  assert.is(code, 0, stderr);
  const result = JSON.parse(stdout);
  assert.is(result.card, 'Emulated card');
  assert.is(result.passed, true);
  assert.ok(result.timings.length >= STEMS.length);
  for (const { what, milliseconds, gigabytesPerSecond } of result.timings) {
    assert.ok(milliseconds > 0 && gigabytesPerSecond > 0, what);
  }
});

cudaCheck('takes the binary of the card, else of an earlier one of its generation, else PTX', async () => {
  const stem = STEMS[0];
  write(`${stem}.sm_80.cubin`, CUBIN);
  assert.is((await run([stem], 89)).code, 0);
  assert.is((await run([stem], 90)).code, 1);
  write(`${stem}.compute_120.ptx`, PTX);
  assert.is((await run([stem], 90)).code, 1);
  assert.is((await run([stem], 121)).code, 0);
  assert.is((await run([stem], 140)).code, 0);
});

cudaCheck('names the card that nothing is compiled for, and what to do', async () => {
  const { code, stderr } = await run([STEMS[0]], 75);
  assert.is(code, 1);
  assert.match(stderr, /is not compiled for this card \(compute capability 7\.5\) in .*; run: npm run setup/);
});

cudaCheck('names the kernel and the reason when the driver refuses', async () => {
  write(`${STEMS[0]}.sm_90.cubin`, 'garbage');
  const { code, stderr } = await run([STEMS[0]]);
  assert.is(code, 1);
  assert.match(stderr, /CUDA kernel \w+: cuModuleLoadData of \w+: CUDA_ERROR_INVALID_IMAGE/);
});

cudaCheck('ends with 3 and one line where there is no driver', async () => {
  const { code, stdout, stderr } = await run([''], 90, join(dir, 'kernels'));
  assert.is(code, 3);
  assert.is(stdout, '');
  assert.is(stderr, 'cuda-check: no card to run on: no NVIDIA driver is installed (libcuda.so.1 was not found)\n');
});

cudaCheck.run();
