import * as assert from 'uvu/assert';
import { evaluateFiles } from '../../src/data/coco_eval/evaluate_files.js';
import { caseFile, caseSuite } from './helpers.js';

const test = caseSuite('08-eval-ids');

/** AP, AP50 and AP75 by pycocotools. */
const EXPECTED = {
  plain: [1, 1, 1],
  text: [1, 1, 1],
  big: [1, 1, 1],
  bigwrong: [0.3653465347, 1, 0],
};

for (const [name, expected] of Object.entries(EXPECTED)) {
  test(`${name}: the figures of pycocotools`, async () => {
    const file = (kind: string) => caseFile('08-eval-ids', `${name}_${kind}.json`);
    const { stats, notices } = await evaluateFiles(file('gt'), file('dt'));
    for (const [i, value] of expected.entries()) assert.ok(Math.abs(Number(stats[i]) - value) < 1e-9, `${stats[i]}`);
    assert.equal(notices, []);
  });
}

test.run();
