import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { loadConfig } from '../../src/config/load.js';
import { runPipeline } from '../../src/pipeline/runner/run.js';
import { caseFile, caseSuite, inTempDir, yolox } from './helpers.js';

const test = caseSuite('16-val-without-objects');

const DATASET = {
  images: caseFile('16-val-without-objects', 'images'),
  annotations: caseFile('16-val-without-objects', 'labels.json'),
};
const SETTINGS = {
  'train.epochs': '1',
  'train.batch': '2',
  'model.width': '0.125',
  'model.preprocess.size': '[96,96]',
  'test.seconds': '4',
  'test.warmupSeconds': '0',
};

test('the run goes through, and says that there is no object to validate on', () =>
  inTempDir(async (store) => {
    const flags = Object.entries({ ...DATASET, store, ...SETTINGS }).flatMap(([key, value]) => [`--${key}`, value]);
    const { code, stdout, stderr } = await yolox(['run', ...flags, '--json']);
    // The run ends with its summary. So early a model is sure of nothing, and that is no passed test.
    assert.is(code, 1, stderr);
    assert.match(stderr, 'model-test: nothing to compare');
    assert.match(stderr, 'the val split has no object to find');
    assert.match(stderr, 'AP –');
    assert.ok(existsSync(JSON.parse(stdout).bundle));

    // All steps are done: the outputs come from the store.
    const config = await loadConfig({
      flags: { ...SETTINGS, store, 'data.images': DATASET.images, 'data.annotations': DATASET.annotations },
      environment: {},
    });
    const { best, last, map, map50 } = (await runPipeline(config, 'model-train'))['model-train'] ?? {};
    assert.equal([map, map50], [null, null]);
    assert.equal(await readFile(best as string), await readFile(last as string));
  }));

test.run();
