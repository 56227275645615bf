import type { CocoCategory } from '../detect/coco.js';
import type { Detection, Thresholds } from '../detect/nms.js';
import type { Image } from '../image/image.js';
import type { OpenOptions } from '../model/weights/open.js';

/** What finds objects, whatever it was opened from. */
export interface OpenDetector {
  /** For people: name and version of a bundle, or the weights file. */
  name: string;
  /** In the order of its classes. */
  categories: CocoCategory[];
  /** Height, width of its input. */
  size: readonly [number, number];
  /** Confidence at which it is meant to be used. */
  confidence: number;
  /** Thresholds default to the bundle's, or to those a bundle of the weights would get. */
  detect(image: Image, thresholds?: Partial<Thresholds>): Promise<Detection[]>;
  close(): Promise<void>;
}

/** A model file: weights of any format, or the folder of a bundle. */
export type ModelSource = { weights: string; options?: OpenOptions } | { bundle: string };

/** Opens a model. TensorFlow is loaded only for weights: a bundle runs without it. */
export async function openDetector(source: ModelSource): Promise<OpenDetector> {
  if ('weights' in source) {
    const { openWeightsDetector } = await import('../model/tf_detector.js');
    const { configSchema } = await import('../config/schema.js');
    const detector = await openWeightsDetector(source.weights, source.options);
    return { ...detector, name: source.weights, confidence: configSchema.parse({}).pack.confidence };
  }
  const { readBundle } = await import('../detect/bundle.js');
  const { Detector } = await import('../detect/onnx_detector.js');
  const bundle = await readBundle(source.bundle);
  const detector = await Detector.open(bundle);
  return {
    name: `${bundle.name} ${bundle.version}`,
    categories: bundle.categories,
    size: bundle.preprocess.size,
    confidence: bundle.thresholds.confidence,
    detect: (image, thresholds) => detector.detect(image, thresholds),
    close: () => detector.close(),
  };
}
