import { z } from 'zod';

const side = z.int().positive().multipleOf(32);

/** Height and width of the network's input, pixels; one number is a square. */
export const inputSize = z.preprocess(
  (size) => (typeof size === 'number' ? [size, size] : size),
  z.tuple([side, side]),
);

/** Grey level YOLOX pads with (Megvii yolox/data/data_augment.py, preproc). */
export const PAD = 114;

/**
 * How an image becomes the network's input. Training, evaluation, ONNX and serving all read this one definition, and the
 * bundle carries it. Defaults: Megvii YOLOX main (yolox/data/data_augment.py, preproc).
 */
export const preprocessSchema = z.strictObject({
  /** Input height, width in pixels; multiples of 32. */
  size: inputSize.default([640, 640]),
  /** Channel order the network was trained with. */
  color: z.enum(['bgr', 'rgb']).default('bgr'),
  /** Pixels 0–255 are multiplied by `scale`; then `mean` is subtracted and the result divided by `std`, in `color` order. */
  scale: z.number().positive().default(1),
  mean: z.tuple([z.number(), z.number(), z.number()]).default([0, 0, 0]),
  std: z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]).default([1, 1, 1]),
  /** Grey level 0–255 of the padding right of and below the image. */
  pad: z.number().min(0).max(255).default(PAD),
});

export type Preprocess = z.infer<typeof preprocessSchema>;

/** Preprocessing of YOLOX weights before release 0.1.1: RGB, /255, ImageNet statistics. */
export const LEGACY_PREPROCESS = {
  color: 'rgb',
  scale: 1 / 255,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
} as const satisfies Partial<Preprocess>;
