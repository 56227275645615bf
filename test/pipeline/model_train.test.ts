import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadConfig } from '../../src/config/load.js';
import type { Figure } from '../../src/data/coco_eval/accumulate.js';
import { planPipeline } from '../../src/pipeline/runner/plan.js';
import { runPipeline } from '../../src/pipeline/runner/run.js';
import { readLog } from '../../src/pipeline/training/log.js';

const test = suite('training run');
const root = mkdtempSync(join(tmpdir(), 'yolox-train-'));
const store = join(root, 'store');
const flags = {
  store,
  'data.builtin.images': '24',
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
const cli = resolve(import.meta.dirname, '../../bin/yolox.mjs');
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
  const child = spawn(process.execPath, [cli, 'model-train', ...asArguments(flags)], {
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

/** What would become of model-train with other settings. */
async function planWith(changed: Record<string, string>) {
  const config = await loadConfig({ flags: { ...flags, ...changed }, environment: {} });
  return (await planPipeline(config, 'model-train')).at(-1);
}

test('a gate, images shown, workers, threads, the cache and how often is validated train nothing again', async () => {
  await runPipeline(await loadConfig({ flags, environment: {} }), 'model-train');
  const indifferent = {
    'eval.minMap50': '0.9',
    'eval.images': '3',
    'eval.confidence': '0.05',
    'eval.maxDetections': '50',
    'train.workers': '1',
    'train.threads': '1',
    'train.cacheMb': '16',
    'train.validateEvery': '1',
    'pack.name': 'other',
    'serve.port': '1234',
    'test.seconds': '1',
  };
  for (const [key, value] of Object.entries(indifferent)) {
    assert.is((await planWith({ [key]: value }))?.state, 'finished', key);
  }
  const { state, reasons } = (await planWith({ 'train.epochs': '4', 'train.seed': '7' })) ?? {};
  assert.equal([state, reasons], ['runs', ['train.epochs 3 → 4', 'train.seed 42 → 7']]);
});

test('weights that lie elsewhere are the same, others are not', async () => {
  const done = await runPipeline(await loadConfig({ flags, environment: {} }), 'model-train');
  const { best, last } = done['model-train'] as { best: string; last: string };
  const start = join(root, 'start.safetensors');
  copyFileSync(best, start);
  const weights = { 'train.weights': best, 'train.epochs': '1' };
  await runPipeline(await loadConfig({ flags: { ...flags, ...weights }, environment: {} }), 'model-train');
  assert.is((await planWith({ ...weights, 'train.weights': start }))?.state, 'finished');
  // `best` may be the last epoch: those weights in another file would be the same.
  const bytes = readFileSync(last);
  bytes[bytes.length - 3] ^= 1;
  writeFileSync(start, bytes);
  const { state, reasons } = (await planWith({ ...weights, 'train.weights': start })) ?? {};
  assert.equal([state, reasons], ['runs', ['the content of train.weights changed']]);
});

test('one flipped bit in a checkpoint or in what a training goes on from is named, with the remedy', async () => {
  const config = await loadConfig({ flags, environment: {} });
  const { best, last } = (await runPipeline(config, 'model-train'))['model-train'] as { best: string; last: string };
  const dir = dirname(best);
  const sound = new Map(
    [best, last, join(dir, 'resume.safetensors'), join(dir, 'log.jsonl')].map((path) => [path, readFileSync(path)]),
  );
  const flip = (path: string) => {
    const bytes = Buffer.from(readFileSync(path));
    bytes[bytes.length >> 1] ^= 1;
    writeFileSync(path, bytes);
  };
  for (const path of [best, last, join(dir, 'log.jsonl')]) {
    flip(path);
    await runPipeline(config, 'model-train').then(
      () => assert.unreachable(`${path} was taken`),
      ({ name, message }: Error) => {
        assert.is(name, 'UserError');
        assert.match(message, path);
        assert.match(message, 'yolox-node model-train --force');
      },
    );
    writeFileSync(path, sound.get(path) as Buffer);
  }
  rmSync(join(dir, '_SUCCESS'));
  flip(join(dir, 'resume.safetensors'));
  await runPipeline(config, 'model-train').then(
    () => assert.unreachable(),
    ({ message }: Error) => assert.match(message, /resume\.safetensors.*yolox-node model-train --force/),
  );
  writeFileSync(join(dir, 'resume.safetensors'), sound.get(join(dir, 'resume.safetensors')) as Buffer);
  await runPipeline(config, 'model-train');
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
