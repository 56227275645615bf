import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { sha256, writeJson } from '../../src/base/files.js';
import { Random } from '../../src/base/random.js';
import type { Architecture } from '../../src/config/network.js';
import { type Preprocess, preprocessSchema } from '../../src/config/preprocess.js';
import type { BundleManifest } from '../../src/detect/bundle.js';
import type { Thresholds } from '../../src/detect/nms.js';
import { OnnxDetector } from '../../src/detect/onnx_detector.js';
import { decodeImage } from '../../src/image/decode.js';
import { exportOnnx } from '../../src/model/onnx/export.js';
import { initialWeights } from '../../src/model/weights/init.js';
import type { Weights } from '../../src/model/weights/weights.js';
import { type Answer, buildAnswer } from '../../src/serve/http/answer.js';

const architecture: Architecture = { depth: 0.33, width: 0.125, depthwise: false, classes: 3 };
const preprocess: Preprocess = preprocessSchema.parse({ size: [64, 96], scale: 1 / 64, mean: [2, 2, 2] });
const thresholds: Thresholds = { confidence: 0.2, iou: 0.5, maxDetections: 20, agnostic: false };
const categories = ['circle', 'square', 'star'].map((name, i) => ({ id: i + 1, name }));

/** A soft pattern of random colours as a JPEG. */
export async function randomJpeg(seed: number, width = 150, height = 90): Promise<Buffer> {
  const random = new Random(seed, 'image');
  const raw = { width: 15, height: 9, channels: 3 as const };
  const colours = Uint8Array.from({ length: 15 * 9 * 3 }, () => random.int(0, 255));
  return sharp(colours, { raw }).resize(width, height, { fit: 'fill' }).jpeg().toBuffer();
}

/**
 * Untrained weights that find boxes of some kind: without the prior that keeps scores near zero, and larger (He et al.
 * 2015), so that the image's signal reaches the head.
 */
function eagerWeights(): Weights {
  const gain = Math.sqrt(6);
  return new Map(
    [...initialWeights(architecture, 3)].map(([name, { shape, data }]) => {
      const prior = /^head\.(cls|obj)_preds\.\d\.bias$/.test(name);
      return [name, { shape, data: data.map((value) => (prior ? 0 : shape.length === 4 ? value * gain : value)) }];
    }),
  );
}

/** A bundle of a small real network in a fresh folder. */
export async function makeBundle(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'yolox-bundle-'));
  const onnx = join(dir, 'model.onnx');
  await writeFile(onnx, exportOnnx(eagerWeights(), architecture, preprocess));
  const image = await randomJpeg(1);
  await writeFile(join(dir, 'test_image.jpg'), image);
  await writeJson(join(dir, 'test_result.json'), await answerOf(onnx, image));
  await writeManifest(dir, {
    format: 1,
    name: 'pattern',
    version: '1',
    created: '2025-01-01T00:00:00.000Z',
    model: { file: 'model.onnx', input: 'images', output: 'output', ...architecture },
    preprocess,
    categories,
    thresholds,
    test: { image: 'test_image.jpg', result: 'test_result.json' },
    weights: { license: 'Apache-2.0', source: 'untrained' },
    files: {},
  });
  return dir;
}

/** Writes bundle.json with the checksums the files have now. */
export async function writeManifest(dir: string, manifest: BundleManifest): Promise<void> {
  const { model, test } = manifest;
  const names = [model.file, test.image, test.result];
  const files = Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, sha256(await readFile(join(dir, name)))])),
  );
  await writeJson(join(dir, 'bundle.json'), { ...manifest, files });
}

async function answerOf(onnx: string, image: Buffer): Promise<Answer> {
  const detector = await OnnxDetector.fromFile(onnx, { preprocess, thresholds, categories, decoded: true });
  const { width, height, data } = await decodeImage(image);
  const detections = await detector.detect({ width, height, data });
  await detector.close();
  return buildAnswer({ file_name: '', height, width, image_id: 0 }, detections, categories);
}
