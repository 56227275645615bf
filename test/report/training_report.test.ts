import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type StepEntry, type TrainingLogEntry, trainingReport } from '../../src/report/training_report.js';

const test = suite('training report');

const step = (number: number, loss = 1): StepEntry => ({
  event: 'step',
  epoch: Math.ceil(number / 10),
  step: number,
  lr: 0.01,
  loss,
  loss_iou: loss / 2,
  loss_obj: loss / 4,
  loss_cls: loss / 4,
  loss_l1: 0,
  num_fg: 20,
  images_per_second: 5,
  size: [64, 64],
});

const charts = (html: string) => html.match(/<svg/g)?.length ?? 0;

test('shows curves and validations', async () => {
  const log: TrainingLogEntry[] = Array.from({ length: 1000 }, (_, i) => step(i + 1, 1000 / (i + 1)));
  log.push({
    event: 'validation',
    epoch: 50,
    map: 0.1234,
    map50: 0.3,
    stats: [0.1234, 0.3, ...new Array(10).fill(null)],
  });
  const html = await trainingReport(log);
  assert.is(charts(html), 6);
  assert.match(html, '1000 iterations, 100 epochs');
  assert.match(html, '0.123');
  assert.not.match(html, 'NaN');
});

test('without an object to validate on, that is said', async () => {
  const absent = { event: 'validation' as const, epoch: 1, map: null, map50: null, stats: new Array(12).fill(null) };
  const html = await trainingReport([step(1), step(2), absent]);
  assert.match(html, 'the validation split has no object to find');
  assert.not.match(html, 'Average precision by epoch');
});

test('of an iteration logged twice, the later line counts', async () => {
  const once = [step(1, 3), step(2, 2), step(3, 1)];
  const resumed = [step(1, 3), step(2, 9), step(3, 9), step(2, 2), step(3, 1)];
  // Charts number their names through the process.
  const plain = async (log: TrainingLogEntry[]) => (await trainingReport(log)).replace(/zr\d+-\w+-?\d*/g, '');
  assert.is(await plain(resumed), await plain(once));
});

test('an empty log is a page that says so', async () => {
  const html = await trainingReport([]);
  assert.is(charts(html), 0);
  assert.match(html, 'no iterations yet');
});

test('a loss that is not a number leaves the rest to see', async () => {
  const html = await trainingReport([step(1), step(2, Number.NaN), step(3)]);
  assert.is(charts(html), 5);
});

test.run();
