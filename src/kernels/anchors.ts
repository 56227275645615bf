import { int } from './tf.js';

/** The prediction grid of an input: one anchor a cell, levels in order of `strides`, row-major within a level. */
export interface Anchors {
  count: number;
  /** Column and row of each anchor in its level's grid. */
  x: Float32Array;
  y: Float32Array;
  stride: Float32Array;
  /** Of the input, in pixels. */
  height: number;
  width: number;
  /** Of the levels, in pixels. */
  strides: readonly number[];
}

/** Anchors of an input of `height` × `width` pixels, both multiples of the largest stride. */
export function makeAnchors(height: number, width: number, strides: readonly number[]): Anchors {
  const count = strides.reduce((sum, s) => sum + (height / s) * (width / s), 0);
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

/** Attributes that describe the grid to our ops, which so need no tensor of it. */
export const anchorAttributes = ({ height, width, strides }: Anchors) => ({
  height: int(height),
  width: int(width),
  strides: int([...strides]),
});
