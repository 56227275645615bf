import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { buildEmulation, checkedStems } from './build.js';
import { runProgram } from './programs.js';

const emulation = suite('CUDA kernels under emulation');

const stems = checkedStems({ cuda: true });
let program: string;

emulation.before(async () => {
  program = await buildEmulation(stems);
});

for (const stem of stems) {
  emulation(`${stem}: as the CPU kernel, no wrong access and no race in any thread order`, async () => {
    const { code, stderr } = await runProgram(program, [stem]);
    assert.is(code, 0, stderr);
  });
}

emulation.run();
