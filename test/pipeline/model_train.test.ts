import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadConfig } from '../../src/config/load.js';
import type { Figure } from '../../src/data/coco_eval/accumulate.js';
import { runPipeline } from '../../src/pipeline/runner.js';
import { readLog } from '../../src/pipeline/training/log.js';

const test = suite('training run');
const root = mkdtempSync(join(tmpdir(), 'yolox-train-'));
const store = join(root, 'store');
const flags = {
  store,
  'data.builtin.pictures': '24',
  'data.builtin.side': '96',
  'model.width': '0.125',
  'model.preprocess.size': '[64, 64]',
  'train.epochs': '3',
  'train.batch': '4',
  'train.multiscale': '1',
  'train.multiscaleEvery': '2',
  'train.validateEvery': '2',
  'train.schedule.noAugEpochs': '1',
};
const cli = resolve(import.meta.dirname, '../../src/cli.ts');
const asArguments = (values: Record<string, string>) =>
  Object.entries(values).map(([key, value]) => `--${key}=${value}`);

async function losses(folder: string): Promise<(string | Figure)[][]> {
  const entries = await readLog(join(folder, 'log.jsonl'));
  return entries.map((entry) =>
    entry.event === 'step'
      ? [entry.step, entry.lr, entry.loss, entry.loss_iou, entry.loss_obj, entry.num_fg, ...entry.size]
      : ['validation', entry.epoch, ...entry.stats],
  );
}

/** Runs model-train in a process of its own and kills it without warning once `file` is there. */
async function trainUntil(file: (dir: string) => boolean): Promise<string> {
  const child = spawn(process.execPath, ['--import', 'tsx', cli, 'model-train', ...asArguments(flags)], {
    stdio: 'ignore',
  });
  const exited = once(child, 'exit');
  const steps = join(store, 'default/model-train');
  let dir: string | undefined;
  while (!dir || !file(dir)) {
    await new Promise((done) => setTimeout(done, 20));
    assert.is(child.exitCode, null, 'training ended before it could be killed');
    dir ??= existsSync(steps) ? join(steps, readdirSync(steps)[0]) : undefined;
  }
  child.kill('SIGKILL');
  await exited;
  return dir;
}

test('killed and run again, it gives the losses of an unbroken run', async () => {
  const dir = await trainUntil((folder) => existsSync(join(folder, 'resume.safetensors')));
  assert.not(existsSync(join(dir, '_SUCCESS')));
  const outputs = await runPipeline(await loadConfig({ flags, environment: {} }), 'model-train');
  const resumed = await losses(dir);

  rmSync(dir, { recursive: true });
  const again = await runPipeline(await loadConfig({ flags, environment: {} }), 'model-train');
  assert.is(again['model-train']?.epochs, 3);
  assert.equal(resumed, await losses(dir));
  assert.is(outputs['model-train']?.map, again['model-train']?.map);
});

test('a finished step is not done again', async () => {
  const config = await loadConfig({ flags, environment: {} });
  const before = await runPipeline(config, 'model-train');
  assert.equal(await runPipeline(config, 'model-train'), before);
});

test('weights of another architecture are refused, naming what they are', async () => {
  const config = await loadConfig({ flags, environment: {} });
  const done = await runPipeline(config, 'model-train');
  const weights = done['model-train']?.best as string;
  const wider = await loadConfig({
    flags: { ...flags, 'model.width': '0.25', 'train.weights': weights },
    environment: {},
  });
  try {
    await runPipeline(wider, 'model-train');
    assert.unreachable();
  } catch (error) {
    assert.is((error as Error).name, 'UserError');
    assert.match((error as Error).message, 'width 0.125');
  }
});

test.after(() => rmSync(root, { recursive: true, force: true }));
test.run();
