import type { Detector } from '../detect/detector.js';
import type { OnnxOptions } from '../detect/onnx_detector.js';
import type { OpenOptions } from '../model/weights/open.js';

/** A model file: weights of any format, or the folder of a bundle. */
export type ModelSource = { weights: string; options?: OpenOptions } | { bundle: string; options?: OnnxOptions };

/**
 * Opens a model. TensorFlow is loaded only for weights: a bundle runs without it.
 *
 * @example
 * const detector = await openDetector({ bundle: 'out/bundle' });
 */
export async function openDetector(source: ModelSource): Promise<Detector> {
  if ('weights' in source) {
    const { TfDetector } = await import('../model/tf_detector.js');
    return TfDetector.open(source.weights, source.options);
  }
  const { readBundle } = await import('../detect/bundle.js');
  const { OnnxDetector } = await import('../detect/onnx_detector.js');
  return OnnxDetector.open(await readBundle(source.bundle), source.options);
}
