import { UserError } from '../base/errors.js';
import { log } from '../base/progress.js';
import type { Architecture } from '../config/network.js';
import type { Preprocess } from '../config/preprocess.js';
import { configSchema } from '../config/schema.js';
import { COCO_CLASSES, usualClasses } from '../detect/categories.js';
import type { CocoCategory } from '../detect/coco.js';
import { type Detection, type Thresholds, toOriginal } from '../detect/nms.js';
import type { Image } from '../image/image.js';
import { letterbox } from '../image/letterbox.js';
import type { DecodedDetections } from '../kernels/decode_nms/index.js';
import { tf } from '../kernels/tf.js';
import { Model } from './inference.js';
import { type OpenedNetwork, type OpenOptions, openNetwork } from './weights/open.js';
import type { Weights } from './weights/weights.js';

/** The network on TensorFlow as a detector; boxes in image pixels. */
export interface WeightsDetector {
  /** In the order of the network's classes. */
  categories: CocoCategory[];
  /** Height, width of its input. */
  size: readonly [number, number];
  /** Thresholds default to those a bundle would get. */
  detect(image: Image, thresholds?: Partial<Thresholds>): Promise<Detection[]>;
  close(): Promise<void>;
}

/** Any weights file the product reads, as a detector. */
export async function openWeightsDetector(path: string, options: OpenOptions = {}): Promise<WeightsDetector> {
  const network = await openNetwork(path, options);
  const { weights, architecture, preprocess } = network;
  return networkDetector(weights, architecture, preprocess, categoriesOf(network, path), path);
}

/** A network in memory as a detector; errors call it `where`. */
export function networkDetector(
  weights: Weights,
  architecture: Architecture,
  preprocess: Preprocess,
  categories: CocoCategory[],
  where?: string,
): WeightsDetector {
  const model = new Model(weights, architecture, where);
  const defaults = configSchema.parse({}).pack;
  const [height, width] = preprocess.size;
  return {
    categories,
    size: preprocess.size,
    async detect(image, thresholds) {
      const { data, ratio } = letterbox(image, preprocess, 'nhwc');
      const images = tf.tensor4d(data, [1, height, width, 3]);
      let found: DecodedDetections;
      try {
        [found] = model.detect(images, { ...defaults, ...thresholds });
      } finally {
        images.dispose();
      }
      const { boxes, objectness, probability, classIndex } = found;
      const detections = Array.from(classIndex, (index, i): Detection => {
        const [x1, y1, x2, y2] = boxes.subarray(4 * i, 4 * i + 4);
        return { box: [x1, y1, x2, y2], classIndex: index, score: objectness[i] * probability[i] };
      });
      return toOriginal(detections, ratio, image);
    },
    close: async () => model.dispose(),
  };
}

/**
 * The names of a network's classes: the file's, those given, or COCO's where there are as many.
 * @throws UserError for other unnamed classes
 */
export function categoriesOf({ categories, architecture: { classes } }: OpenedNetwork, path: string): CocoCategory[] {
  if (categories) return categories;
  const usual = usualClasses(classes);
  if (usual) {
    log(`${path}: its ${classes} classes have no names and are taken for COCO's; --classes names others`);
    return usual;
  }
  throw new UserError({
    where: path,
    expected: `weights that name their classes, or have COCO's ${COCO_CLASSES.length}`,
    received: `${classes} unnamed classes`,
    hint: 'Name them in their order with --classes a,b,c or --classes FILE.',
  });
}
