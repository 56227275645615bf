/** The prediction grid of an input: one anchor a cell, levels in order of `strides`, row-major within a level. */
export interface Anchors {
  count: number;
  /** Column and row of each anchor in its level's grid. */
  x: Float32Array;
  y: Float32Array;
  stride: Float32Array;
}

/** Anchors of an input of `height` × `width` pixels, both multiples of the largest stride. */
export function makeAnchors(height: number, width: number, strides: readonly number[]): Anchors {
  const count = strides.reduce((sum, s) => sum + (height / s) * (width / s), 0);
  const anchors = { count, x: new Float32Array(count), y: new Float32Array(count), stride: new Float32Array(count) };
  let i = 0;
  for (const stride of strides) {
    for (let y = 0; y < height / stride; y++) {
      for (let x = 0; x < width / stride; x++, i++) {
        anchors.x[i] = x;
        anchors.y[i] = y;
        anchors.stride[i] = stride;
      }
    }
  }
  return anchors;
}
