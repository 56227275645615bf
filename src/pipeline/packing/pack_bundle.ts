import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../base/errors.js';
import { makeDir, sha256File, writeAtomic, writeJson } from '../../base/files.js';
import { log } from '../../base/progress.js';
import type { Config } from '../../config/schema.js';
import { BUNDLE_FILE, type BundleManifest, readBundle } from '../../detect/bundle.js';
import type { CocoCategory } from '../../detect/coco.js';
import type { Detector } from '../../detect/detector.js';
import { OnnxDetector } from '../../detect/onnx_detector.js';
import { CHECKED, type DecodeLimits, decodeImage, openPixels } from '../../image/decode.js';
import type { Image } from '../../image/image.js';
import { identifyImage } from '../../image/image_format.js';
import { exportOnnx } from '../../model/onnx/export.js';
import type { OpenedNetwork } from '../../model/weights/open.js';
import { buildAnswer } from '../../serve/http/answer.js';
import { checkOnnx } from './check_onnx.js';

const MODEL_FILE = 'model.onnx';
const TEST_IMAGE = 'test_image.jpg';
const TEST_RESULT = 'test_result.json';

/** Images on which the exported model is compared with the network. */
const CHECKED_IMAGES = 4;

/** Number of images from which the test image is chosen, if any of them contains an object. */
const CANDIDATES = 64;

/** Score of a confident detection, well above any threshold that might drop it. */
const SURE = 0.5;

export interface PackParts {
  network: OpenedNetwork;
  /** In the order of the network's classes. */
  categories: CocoCategory[];
  /** Path of the network, for messages. */
  weightsPath: string;
  /** Paths of at least one image, to choose the test image from and to check the export with. */
  images: readonly string[];
  /** Limits of the images; by default, assumes they have been checked. */
  limits?: DecodeLimits;
  settings: Config['pack'];
}

export interface Packed {
  /** Largest differences between the exported model and the network: pixels, and probabilities. */
  box_difference: number;
  score_difference: number;
  /** Index of the image that became the test image, and the number of objects found in it. */
  test_image: number;
  detections: number;
}

/**
 * Writes the bundle of a network: ONNX checked against the network, test image with its reference answer, manifest. The
 * folder appears complete or not at all, and replaces an existing bundle.
 * @throws UserError for a network of other classes, or an export that computes something else
 */
export async function packBundle(bundle: string, parts: PackParts): Promise<Packed> {
  checkClasses(parts);
  const partial = `${bundle}.tmp`;
  await rm(partial, { recursive: true, force: true });
  await makeDir(partial);
  try {
    const packed = await writeBundle(partial, parts);
    await rm(bundle, { recursive: true, force: true });
    await rename(partial, bundle);
    return packed;
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** Writes the files of a bundle and verifies them. */
async function writeBundle(
  dir: string,
  { network, categories, images, limits = CHECKED, settings }: PackParts,
): Promise<Packed> {
  const { name, version, license, confidence, iou, maxDetections, agnostic } = settings;
  const thresholds = { confidence, iou, maxDetections, agnostic };
  const { weights, architecture, preprocess } = network;
  const source = network.info?.source ?? `sha256:${network.sha256}`;
  const modelPath = join(dir, MODEL_FILE);
  await writeAtomic(modelPath, exportOnnx(weights, architecture, preprocess, { name, categories, source }));

  const decode = (path: string) => decodeImage(path, { ...limits, fit: preprocess.size });
  const checked = await Promise.all(images.slice(0, CHECKED_IMAGES).map(decode));
  const options = { images: checked, preprocess, confidence };
  const difference = await checkOnnx(modelPath, { weights, architecture }, options);
  const [boxes, scores] = [difference.boxes, difference.scores].map((value) => value.toExponential(1));
  log(`pack: onnxruntime and TensorFlow differ by ${boxes} pixels and ${scores} of scores`);

  const detector = await OnnxDetector.fromFile(modelPath, { preprocess, thresholds, categories, decoded: true });
  const testImage = await chooseTestImage(detector, images, decode);
  await writeAtomic(join(dir, TEST_IMAGE), await toJpeg(images[testImage]));
  const image = await decode(join(dir, TEST_IMAGE));
  const { width, height } = image.original ?? image;
  const detections = await detector.detect(image);
  await detector.close();
  if (detections.length === 0) {
    log(
      `pack: the model finds nothing in ${images.length} images at confidence ${confidence}: nothing tests its answers`,
    );
  }
  const subject = { file_name: TEST_IMAGE, width, height, image_id: 0 };
  await writeJson(join(dir, TEST_RESULT), buildAnswer(subject, detections, categories));

  await writeManifest(dir, {
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
    box_difference: difference.boxes,
    score_difference: difference.scores,
    test_image: testImage,
    detections: detections.length,
  };
}

function checkClasses({ network: { architecture }, categories, weightsPath }: PackParts): void {
  if (architecture.classes === categories.length) return;
  const expected = `a network of ${categories.length} classes`;
  throw new UserError({ where: weightsPath, expected, received: architecture.classes });
}

/**
 * Index of the image with the most confident detections; among equals, with the most detections, then the first.
 * Examines more than `CANDIDATES` images only until one contains an object, because a reference without objects tests
 * nothing.
 */
async function chooseTestImage(
  detector: Detector,
  images: readonly string[],
  decode: (path: string) => Promise<Image>,
): Promise<number> {
  let best = { index: 0, sure: 0, all: 0 };
  for (const [index, path] of images.entries()) {
    if (index >= CANDIDATES && best.all > 0) break;
    const found = await detector.detect(await decode(path));
    const sure = found.filter(({ score }) => score >= SURE).length;
    if (sure > best.sure || (sure === best.sure && found.length > best.all)) best = { index, sure, all: found.length };
  }
  return best.index;
}

/** Returns a JPEG unchanged, and any other image converted to JPEG. */
async function toJpeg(path: string): Promise<Uint8Array> {
  const bytes = await readFile(path);
  if (identifyImage(bytes) === 'jpeg') return bytes;
  return (await openPixels(bytes, CHECKED)).jpeg({ quality: 95 }).toBuffer();
}

/** Completes a bundle with its manifest, and reads it back. */
async function writeManifest(
  dir: string,
  manifest: Omit<BundleManifest, 'format' | 'created' | 'files'>,
): Promise<void> {
  const files = [MODEL_FILE, TEST_IMAGE, TEST_RESULT].map(async (file) => [file, await sha256File(join(dir, file))]);
  await writeJson(join(dir, BUNDLE_FILE), {
    format: 1,
    created: new Date().toISOString(),
    ...manifest,
    files: Object.fromEntries(await Promise.all(files)),
  } satisfies BundleManifest);
  await readBundle(dir);
}
