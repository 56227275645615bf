import { z } from 'zod';

/** Strides of the three prediction levels, in pixels; the input's sides are multiples of the largest. */
export const STRIDES = [8, 16, 32] as const;

/** Windows of the spatial pyramid pooling (Megvii yolox/models/network_blocks.py, SPPBottleneck). */
export const SPP_KERNELS = [5, 9, 13] as const;

/** Batch norm's ε (Megvii yolox/exp/yolox_base.py, init_yolo). */
export const BATCH_NORM_EPSILON = 1e-3;

/** A network without its weights: YOLOX by depth and width multiples (Megvii exps/default). */
export const architectureSchema = z.strictObject({
  depth: z.number().positive(),
  width: z.number().positive(),
  /** Depthwise-separable 3×3 convolutions (nano). */
  depthwise: z.boolean(),
  classes: z.int().positive(),
});

export type Architecture = z.infer<typeof architectureSchema>;

/** The prediction grid of an input: one anchor per cell, levels in order of `strides`, row-major within a level. */
export interface Anchors {
  count: number;
  /** Column and row of each anchor in its level's grid. */
  x: Float32Array;
  y: Float32Array;
  /** Stride of each anchor's level, in pixels. */
  stride: Float32Array;
  /** Size of the input, in pixels. */
  height: number;
  width: number;
  /** Strides of the levels, in pixels. */
  strides: readonly number[];
}

/** Anchors of an input of `height` × `width` pixels, both multiples of the largest stride. */
export function anchorGrid(height: number, width: number, strides: readonly number[] = STRIDES): Anchors {
  const count = strides.reduce((sum, pixels) => sum + (height / pixels) * (width / pixels), 0);
  const [x, y, stride] = [0, 1, 2].map(() => new Float32Array(count));
  let i = 0;
  for (const pixels of strides) {
    for (let row = 0; row < height / pixels; row++) {
      for (let column = 0; column < width / pixels; column++, i++) {
        x[i] = column;
        y[i] = row;
        stride[i] = pixels;
      }
    }
  }
  return { count, x, y, stride, height, width, strides };
}
