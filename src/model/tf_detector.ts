import { UserError } from '../base/errors.js';
import { log } from '../base/progress.js';
import type { Architecture } from '../config/network.js';
import type { Preprocess } from '../config/preprocess.js';
import { configSchema } from '../config/schema.js';
import { COCO_CLASSES, usualClasses } from '../detect/categories.js';
import type { CocoCategory } from '../detect/coco.js';
import type { Detector } from '../detect/detector.js';
import { type Detection, postprocess, type Thresholds, toOriginal } from '../detect/nms.js';
import type { Image } from '../image/image.js';
import { letterbox } from '../image/letterbox.js';
import type { DecodedDetections } from '../kernels/decode_nms/index.js';
import { tf } from '../kernels/tf.js';
import { Model } from './inference.js';
import { type OpenedNetwork, type OpenOptions, openNetwork } from './weights/open.js';
import type { Weights } from './weights/weights.js';

/** A network in memory with its preprocessing and categories. */
export interface TfModel {
  weights: Weights;
  architecture: Architecture;
  preprocess: Preprocess;
  /** In the order of the network's classes. */
  categories: readonly CocoCategory[];
  /** Name for people and errors. */
  name: string;
}

/** A detector on TensorFlow. Its thresholds are those of a bundle packed from the weights. */
export class TfDetector implements Detector {
  readonly name: string;
  readonly categories: readonly CocoCategory[];
  readonly size: readonly [number, number];
  readonly thresholds: Thresholds;
  readonly #preprocess: Preprocess;
  readonly #model: Model;

  constructor({ weights, architecture, preprocess, categories, name }: TfModel) {
    const { confidence, iou, maxDetections, agnostic } = configSchema.parse({}).pack;
    this.name = name;
    this.categories = categories;
    this.size = preprocess.size;
    this.thresholds = { confidence, iou, maxDetections, agnostic };
    this.#preprocess = preprocess;
    this.#model = new Model(weights, architecture, name);
  }

  /**
   * Opens weights in any supported format.
   *
   * @throws UserError for a file that is not a YOLOX, or whose classes have no names
   * @example const detector = await TfDetector.open('yolox_s.pth');
   */
  static async open(path: string, options: OpenOptions = {}): Promise<TfDetector> {
    const network = await openNetwork(path, options);
    const { weights, architecture, preprocess } = network;
    return new TfDetector({ weights, architecture, preprocess, categories: categoriesOf(network, path), name: path });
  }

  async detect(image: Image, given?: Partial<Thresholds>): Promise<Detection[]> {
    const thresholds = { ...this.thresholds, ...given };
    const [height, width] = this.size;
    const { data, ratio } = letterbox(image, this.#preprocess, 'nhwc');
    if (thresholds.classes) {
      // The op cannot filter classes, which class-agnostic suppression needs to happen first.
      const output = this.#model.predict(data, [1, height, width]);
      const classCount = this.categories.length;
      const shape = { anchors: output.length / (5 + classCount), classCount };
      return toOriginal(postprocess(output, shape, thresholds), ratio, image);
    }
    const images = tf.tensor4d(data, [1, height, width, 3]);
    try {
      const [found] = this.#model.detect(images, thresholds);
      return toOriginal(detectionsOf(found), ratio, image);
    } finally {
      images.dispose();
    }
  }

  async close(): Promise<void> {
    this.#model.dispose();
  }
}

function detectionsOf({ boxes, objectness, probability, classIndex }: DecodedDetections): Detection[] {
  return Array.from(classIndex, (index, i): Detection => {
    const [x1, y1, x2, y2] = boxes.subarray(4 * i, 4 * i + 4);
    return { box: [x1, y1, x2, y2], classIndex: index, score: objectness[i] * probability[i] };
  });
}

/**
 * Categories of a network: from the file, as given, or COCO's if the count matches.
 *
 * @throws UserError for other unnamed classes
 */
export function categoriesOf({ categories, architecture: { classes } }: OpenedNetwork, path: string): CocoCategory[] {
  if (categories) return categories;
  const usual = usualClasses(classes);
  if (usual) {
    log(`${path}: its ${classes} classes have no names; assuming COCO's (--classes names others)`);
    return usual;
  }
  throw new UserError({
    where: path,
    expected: `weights that name their classes, or have COCO's ${COCO_CLASSES.length}`,
    received: `${classes} unnamed classes`,
    hint: 'Name them in order with --classes a,b,c or --classes FILE.',
  });
}
