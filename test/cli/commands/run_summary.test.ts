import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runSummaryText, summarizeRun } from '../../../src/cli/commands/run_summary.js';
import { configSchema } from '../../../src/config/schema.js';
import type { ModelEvalOutputs } from '../../../src/pipeline/model_eval.js';
import type { Outputs } from '../../../src/pipeline/outputs.js';

const config = configSchema.parse({});

function textOf(
  evaluation: Partial<ModelEvalOutputs>,
  failures: string[] = [],
): { text: string; json: ReturnType<typeof summarizeRun> } {
  const outputs = {
    'data-prep': { report: 'data.html' },
    'model-train': { images_per_second: 8, report: 'train.html' },
    'model-pack': { bundle: 'bundle' },
    'model-eval': {
      map: 0.4312,
      map50: 0.7364,
      before: null,
      images: 160,
      report: 'eval.html',
      annotated: 'images',
      gate: { minMap50: null, passed: true },
      ...evaluation,
    },
    'model-test': { throughput: 100, p50_ms: 1, p90_ms: 2, p99_ms: 3, failures },
  } as unknown as Outputs;
  const json = summarizeRun(outputs, 60);
  return { text: runSummaryText(outputs, json, config), json };
}

const test = suite('summary of a run');

test('from scratch there is no before', () => {
  const { text, json } = textOf({});
  assert.match(text, 'mAP            0.4312  (IoU .50:.95, 160 test images)\n');
  assert.match(text, 'mAP@.5         0.7364\n');
  assert.equal([json.before, json.worse], [null, null]);
});

test('fine-tuning shows before and after', () => {
  const before = { label: 'before fine-tuning', map: 0.2954, map50: 0.5 };
  const { text, json } = textOf({ before });
  assert.match(text, 'mAP            0.4312  (IoU .50:.95, 160 test images, 0.2954 before fine-tuning)\n');
  assert.match(text, 'mAP@.5         0.7364, 0.5000 before fine-tuning\n');
  assert.equal(json.before, before);
  assert.is(json.worse, false);
  assert.not.match(text, 'WORSE');
});

test('a model that is worse than its start is called so', () => {
  const { text, json } = textOf({ before: { label: 'before fine-tuning', map: 0.5, map50: 0.6 } });
  assert.match(text, /WORSE than the initial weights: lower train\.optimizer\.lr/);
  assert.is(json.worse, true);
});

test('absent figures are dashes and null', () => {
  const absent = { map: null, map50: null, gate: { minMap50: 0.5, passed: false } };
  const { text, json } = textOf({ ...absent, before: { label: 'before fine-tuning', map: null, map50: null } });
  assert.match(text, 'mAP            –  (IoU .50:.95, 160 test images, – before fine-tuning)\n');
  assert.match(text, 'mAP@.5         –, – before fine-tuning  gate ≥ 0.5: MISSED\n');
  assert.equal([json.map, json.map50], [null, null]);
});

test('a test of the service that is not passed does not take the other figures away', () => {
  const { text, json } = textOf({}, ['nothing to compare']);
  assert.match(text, /mAP@\.5 +0\.7364\n.*model-test +FAILED/s);
  assert.is(json.test_passed, false);
  assert.not.match(textOf({}).text, 'FAILED');
});

test.run();
