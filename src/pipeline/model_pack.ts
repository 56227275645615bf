import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { UserError } from '../base/errors.js';
import { sha256File, writeAtomic, writeJson } from '../base/files.js';
import { log } from '../base/progress.js';
import type { CocoCategory, CocoImage } from '../data/coco.js';
import { decodePicture } from '../data/decode.js';
import { readDataset } from '../data/tables.js';
import { exportOnnx } from '../model/onnx/export.js';
import { openNetwork } from '../model/weights/open.js';
import { BUNDLE_FILE, type BundleManifest, readBundle } from '../serve/bundle.js';
import { Detector } from '../serve/engine/detector.js';
import { buildAnswer } from '../serve/http/answer.js';
import { checkOnnx } from './check_onnx.js';
import type { StepContext } from './step.js';

const MODEL_FILE = 'model.onnx';
const TEST_IMAGE = 'test_image.jpg';
const TEST_RESULT = 'test_result.json';

/** Pictures on which the exported model is compared with the network. */
const CHECKED_PICTURES = 4;

/** Pictures among which the test image is looked for. */
const CANDIDATES = 64;

/** Score from which a detection makes a picture a good test image: far from the thresholds that may drop it. */
const SURE = 0.5;

export interface ModelPackInputs {
  /** Weights of the network, safetensors. */
  checkpoint: string;
  /** Folder of the test split's tables; its pictures are in the store. */
  testDataset: string;
  /** In the order of the network's classes. */
  categories: CocoCategory[];
}

export interface ModelPackOutputs {
  /** Folder of the bundle. */
  bundle: string;
  /** Largest differences between the exported model and the network: pixels, and probabilities. */
  box_difference: number;
  score_difference: number;
  /** Picture of the test split that became the test image, and the number of objects found in it. */
  test_image: string;
  detections: number;
}

/**
 * Packs a checkpoint for serving: ONNX checked against the network, test image with its reference answer, manifest.
 * The bundle appears whole or not at all.
 * @throws UserError for an empty split, a checkpoint of other classes, or an export that computes something else
 */
export async function modelPack(
  inputs: ModelPackInputs,
  { config, dir, store }: StepContext,
): Promise<ModelPackOutputs> {
  const { name, version, license, confidence, nms, maxDetections, agnostic } = config.pack;
  const thresholds = { confidence, nms, maxDetections, agnostic };
  const { categories } = inputs;
  const { weights, architecture, preprocess, source } = await openCheckpoint(inputs);
  const images = (await readDataset(inputs.testDataset)).images.sort((a, b) => a.id - b.id);
  if (images.length === 0) throw new UserError({ where: inputs.testDataset, expected: 'a picture in the test split' });
  const fileOf = ({ sha256 }: CocoImage) => store.objectPath(sha256 as string);

  const partial = join(dir, 'bundle.tmp');
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const modelPath = join(partial, MODEL_FILE);
  await writeAtomic(modelPath, exportOnnx(weights, architecture, preprocess, { name, categories, source }));

  const pictures = await Promise.all(images.slice(0, CHECKED_PICTURES).map((image) => decodePicture(fileOf(image))));
  const difference = await checkOnnx(modelPath, { weights, architecture }, { pictures, preprocess, confidence });
  const [boxes, scores] = [difference.boxes, difference.scores].map((value) => value.toExponential(1));
  log(`model-pack: onnxruntime and TensorFlow differ by ${boxes} pixels and ${scores} of scores`);

  const detector = await Detector.fromOnnx(modelPath, { preprocess, thresholds, decoded: true });
  const testImage = await chooseTestImage(detector, images.slice(0, CANDIDATES), fileOf);
  await writeAtomic(join(partial, TEST_IMAGE), await toJpeg(fileOf(testImage)));
  const picture = await decodePicture(join(partial, TEST_IMAGE));
  const detections = await detector.detect(picture);
  await detector.close();
  const subject = { file_name: TEST_IMAGE, width: picture.width, height: picture.height, image_id: 0 };
  await writeJson(join(partial, TEST_RESULT), buildAnswer(subject, detections, categories));

  const bundle = await finishBundle(partial, {
    name,
    version,
    model: { file: MODEL_FILE, input: 'images', output: 'output', ...architecture },
    preprocess,
    categories,
    thresholds,
    test: { image: TEST_IMAGE, result: TEST_RESULT },
    weights: { license, source },
  });
  return {
    bundle,
    box_difference: difference.boxes,
    score_difference: difference.scores,
    test_image: testImage.file_name,
    detections: detections.length,
  };
}

/** The network of the checkpoint; one of other classes is refused. */
async function openCheckpoint({ checkpoint, categories }: ModelPackInputs) {
  const { weights, architecture, info, preprocess, sha256 } = await openNetwork(checkpoint);
  if (architecture.classes !== categories.length) {
    throw new UserError({
      where: checkpoint,
      expected: `a network of ${categories.length} classes`,
      received: architecture.classes,
    });
  }
  return { weights, architecture, preprocess, source: info?.source ?? `sha256:${sha256}` };
}

/** The picture with the most sure detections, of equals the first. */
async function chooseTestImage(detector: Detector, images: readonly CocoImage[], fileOf: (image: CocoImage) => string) {
  let best = { image: images[0], sure: -1 };
  for (const image of images) {
    const sure = (await detector.detect(await decodePicture(fileOf(image)), { confidence: SURE })).length;
    if (sure > best.sure) best = { image, sure };
  }
  return best.image;
}

/** The bytes of a JPEG as they are, of any other picture as a JPEG. */
async function toJpeg(path: string): Promise<Uint8Array> {
  const { format } = await sharp(path).metadata();
  return format === 'jpeg'
    ? readFile(path)
    : sharp(path).autoOrient().flatten({ background: '#fff' }).jpeg({ quality: 95 }).toBuffer();
}

/** Completes the bundle in `partial` with its manifest, verifies it, and moves it to its place beside. */
async function finishBundle(
  partial: string,
  manifest: Omit<BundleManifest, 'format' | 'created' | 'files'>,
): Promise<string> {
  const files = [MODEL_FILE, TEST_IMAGE, TEST_RESULT].map(async (file) => [
    file,
    await sha256File(join(partial, file)),
  ]);
  await writeJson(join(partial, BUNDLE_FILE), {
    format: 1,
    created: new Date().toISOString(),
    ...manifest,
    files: Object.fromEntries(await Promise.all(files)),
  } satisfies BundleManifest);
  await readBundle(partial);
  const bundle = join(dirname(partial), 'bundle');
  await rm(bundle, { recursive: true, force: true });
  await rename(partial, bundle);
  return bundle;
}
