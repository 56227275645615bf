import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { buildFailing, buildHost, checkedStems } from './build.js';
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

host('a check that fails says what differs; one that holds says so', async () => {
  const { code, stderr } = await runProgram(await buildFailing(), []);
  assert.is(code, 1);
  assert.equal(stderr.trim().split('\n'), [
    'failed: failing: near: 1 of 3 values differ, [1] expected 2, received 2.0999999',
    'failed: failing: lengths: expected 2 values, received 1',
    'failed: failing: one NaN: 1 of 1 values differ, [0] expected nan, received 0',
    'failed: failing: equal: 1 of 2 values differ, [1] expected 1, received 1.00000012',
    'failed: failing: a condition',
    'passed: holding',
  ]);
  const unknown = await runProgram(await buildFailing(), ['sailing']);
  assert.is(unknown.code, 2);
  assert.match(unknown.stderr, /expected the name of a check, received sailing/);
});

host.run();
