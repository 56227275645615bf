import { readdirSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import * as assert from 'uvu/assert';
import { loadConfig } from '../../src/config/load.js';
import { openDetector } from '../../src/pipeline/open_detector.js';
import { findImages } from '../../src/pipeline/predict/image_inputs.js';
import { predictImages } from '../../src/pipeline/predict/index.js';
import { runPipeline } from '../../src/pipeline/runner/run.js';
import { makeBundle } from '../serve/make_bundle.js';
import { caseFile, caseSuite, inTempDir } from './helpers.js';

const test = caseSuite('18-long-names');

test('names of 247 bytes go through predict --out', () =>
  inTempDir(async (dir) => {
    const bundle = await makeBundle();
    const { images } = await findImages([caseFile('18-long-names', 'images')]);
    const detector = await openDetector({ bundle });
    const predictions = await predictImages(detector, images.slice(0, 3), { out: dir });
    await detector.close();
    await rm(bundle, { recursive: true });
    const names = predictions.map((prediction) =>
      'annotated' in prediction ? basename(prediction.annotated as string) : '',
    );
    assert.equal((await readdir(dir)).sort(), names.sort());
    assert.ok(names.every((name) => Buffer.byteLength(name) > 200));
  }));

test('and through the images of model-eval', () =>
  inTempDir(async (store) => {
    const flags = {
      store,
      'data.source': 'coco',
      'data.images': caseFile('18-long-names', 'images'),
      'data.annotations': caseFile('18-long-names', 'labels.json'),
      'model.width': '0.125',
      'model.preprocess.size': '[64, 64]',
      'train.epochs': '1',
      'train.batch': '4',
      'train.augment.mosaic': '0',
    };
    const outputs = await runPipeline(await loadConfig({ flags, environment: {} }), 'model-eval');
    const names = readdirSync(outputs['model-eval']?.annotated as string);
    assert.ok(names.length > 0 && names.every((name) => Buffer.byteLength(name) > 200), names.join('\n'));
  }));

test.run();
