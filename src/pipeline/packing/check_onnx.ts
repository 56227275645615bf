import { InferenceSession, Tensor } from 'onnxruntime-node';
import { UserError } from '../../base/errors.js';
import type { Architecture } from '../../config/network.js';
import type { Preprocess } from '../../config/preprocess.js';
import type { Image } from '../../image/image.js';
import { letterbox } from '../../image/letterbox.js';
import { Model } from '../../model/inference.js';
import type { Weights } from '../../model/weights/weights.js';
import { BOX_TOLERANCE, compareOutputs, type Difference, SCORE_TOLERANCE, worse } from './compare_outputs.js';

export interface CheckOptions {
  images: readonly Image[];
  preprocess: Preprocess;
  /** Lowest score of a shown box. */
  confidence: number;
}

/**
 * Runs the exported model in onnxruntime and the network in TensorFlow on the same images.
 * @throws UserError when they differ by more than rounding
 */
export async function checkOnnx(
  path: string,
  { weights, architecture }: { weights: Weights; architecture: Architecture },
  { images, preprocess, confidence }: CheckOptions,
): Promise<Difference> {
  const session = await InferenceSession.create(path, { logSeverityLevel: 3 });
  const model = new Model(weights, architecture);
  let total: Difference = { boxes: 0, scores: 0, excess: 0 };
  try {
    for (const image of images) {
      const images = new Tensor('float32', letterbox(image, preprocess, 'nchw').data, [1, 3, ...preprocess.size]);
      const { output } = await session.run({ images });
      const expected = model.predict(letterbox(image, preprocess, 'nhwc').data, [1, ...preprocess.size]);
      total = worse(total, compareOutputs(output.data as Float32Array, expected, architecture.classes, confidence));
    }
  } finally {
    model.dispose();
    await session.release();
  }
  if (total.excess <= 1) return total;
  throw new UserError({
    where: path,
    expected: `the outputs of the trained network within ${BOX_TOLERANCE} pixels and ${SCORE_TOLERANCE} of scores`,
    received: `differences of ${total.boxes.toExponential(1)} pixels and ${total.scores.toExponential(1)}`,
    hint: 'A network whose outputs overflow cannot be packed: train it longer or at a lower rate.',
  });
}
