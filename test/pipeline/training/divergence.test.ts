import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { loadConfig } from '../../../src/config/load.js';
import { tf } from '../../../src/kernels/tf.js';
import { runPipeline } from '../../../src/pipeline/runner/run.js';
import { diverged, explainStepError } from '../../../src/pipeline/training/divergence.js';

const test = suite('training that diverges');
const root = mkdtempSync(join(tmpdir(), 'yolox-diverge-'));
test.after(() => rmSync(root, { recursive: true, force: true }));

const flags = {
  store: join(root, 'store'),
  'data.builtin.images': '16',
  'data.builtin.side': '96',
  'model.width': '0.125',
  'model.preprocess.size': '[64, 64]',
  'train.epochs': '3',
  'train.batch': '2',
  'train.multiscale': '0',
  'train.schedule.warmupEpochs': '0',
};

/** Trains and resolves to the error that ends it. */
async function failure(values: Record<string, string>): Promise<Error> {
  const config = await loadConfig({ flags: { ...flags, ...values }, environment: {} });
  return runPipeline(config, 'model-train').then(
    () => assert.unreachable('training ended without an error'),
    (error: Error) => error,
  ) as Promise<Error>;
}

test('ten times out of ten it ends in one line with the step, the rate and the remedy', async () => {
  for (let seed = 0; seed < 10; seed++) {
    const error = await failure({ 'train.optimizer.lr': '1e9', 'train.seed': String(seed) });
    assert.instance(error, UserError);
    assert.match(error.message, /^model-train: step \d+, learning rate [\d.e+]+: expected a finite loss/);
    assert.match(error.message, 'Lower train.optimizer.lr');
  }
});

test('weights that a last step has thrown out of range are never kept', async () => {
  const once = { 'train.epochs': '1', 'train.batch': '12', 'train.optimizer.lr': '1e38', pipeline: 'once' };
  const error = await failure(once);
  assert.instance(error, UserError);
  assert.match(error.message, /lower train.optimizer.lr/i);
  const folder = join(root, 'store/once/model-train');
  for (const run of readdirSync(folder)) {
    assert.not(existsSync(join(folder, run, 'last.safetensors')));
    assert.not(existsSync(join(folder, run, '_SUCCESS')));
  }
});

test('memory that runs out is bad input with a remedy, any other failure stays as it is', async () => {
  const { train } = await loadConfig({ flags: { 'train.batch': '64' }, environment: {} });
  // More than any machine has: 2^44 values.
  const tile = tf.ones([1024, 1024]);
  let full: unknown;
  try {
    tf.tile(tile, [4096, 4096]);
  } catch (error) {
    full = error;
  }
  tile.dispose();
  const explained = explainStepError(full, train) as UserError;
  assert.instance(explained, UserError);
  assert.match(explained.message, /memory for a step with batch 64: .*OOM.* Lower train.batch/);
  const bug = new Error('Invalid TF_Status: 3\nMessage: shapes differ');
  assert.is(explainStepError(bug, train), bug);
  assert.match(diverged('step 3', 'loss NaN').message, 'step 3: expected a finite loss');
});

test.run();
