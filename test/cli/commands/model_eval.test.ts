import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { modelEvalCommand } from '../../../src/cli/commands/model_eval.js';
import { runCommandLine } from '../../../src/cli/parser.js';

const test = suite('options of model-eval');

const DATASET = ['--images', 'absent', '--annotations', 'absent.json'];

/** The message the command line ends with, before anything is opened. */
async function refused(...args: string[]): Promise<string> {
  try {
    await runCommandLine(['model-eval', ...args], [modelEvalCommand]);
  } catch (error) {
    assert.instance(error, UserError);
    return (error as UserError).message;
  }
  throw new Error('It ran.');
}

for (const option of [
  ['--force'],
  ['--explain'],
  ['--store', 'x'],
  ['--epochs', '1'],
  ['--prep.seed', '2'],
  ['--serve.port', '0'],
]) {
  for (const model of ['--weights', '--bundle']) {
    test(`${option[0]} does not act with ${model}`, async () => {
      assert.match(await refused(model, 'absent', ...DATASET, ...option), /only in the pipeline.*no effect/);
    });
  }
}

for (const option of [['--size', '64'], ['--legacy'], ['--out', 'x'], ['--strict']]) {
  test(`${option[0]} does not act in the pipeline`, async () => {
    assert.match(await refused(...option), `${option[0]}: expected to be used only with --weights or --bundle`);
  });
}

test('a configuration file beside --weights may mean the start of training', async () => {
  assert.match(await refused('--weights', 'w', '--config', 'quickstart', ...DATASET), '--train.weights');
});

test('options of weights do not act on a bundle, those of the report only with --out', async () => {
  assert.match(await refused('--bundle', 'b', '--size', '64', ...DATASET), 'only with --weights');
  assert.match(await refused('--bundle', 'b', '--eval.images', '3', ...DATASET), 'only with --out');
});

test('numbers are checked as those of the configuration', async () => {
  for (const [flag, value] of [
    ['--confidence', 'abc'],
    ['--confidence', '2'],
    ['--iou', 'abc'],
    ['--max-detections', '0'],
    ['--max-detections', '-3'],
    ['--size', '65'],
  ]) {
    assert.match(await refused('--weights', 'w', ...DATASET, `${flag}=${value}`), flag);
  }
});

test('a model needs a dataset', async () => {
  assert.match(await refused('--weights', 'w'), '--images DIR and --annotations FILE');
});

test.run();
