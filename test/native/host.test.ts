import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { buildHost, checkedStems } from './build.js';
import { runProgram } from './programs.js';

const host = suite('CPU kernels under AddressSanitizer and UndefinedBehaviorSanitizer');

const stems = checkedStems();
let program: string;

host.before(async () => {
  program = await buildHost(stems);
});

for (const stem of stems) {
  host(`${stem}: the same on any number of threads, nothing undefined`, async () => {
    const { code, stderr } = await runProgram(program, [stem]);
    assert.is(code, 0, stderr);
  });
}

host.run();
