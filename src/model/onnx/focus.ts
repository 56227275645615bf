import { elements, type WeightTensor } from '../weights/weights.js';

/**
 * Converts a 3×3 convolution over the space-to-depth of YOLOX's stem, [out,12,3,3], to an equal 6×6 convolution of
 * stride 2 and padding 2 over the image, [out,3,6,6]: one operator instead of nine. On onnxruntime 1.30, one thread,
 * nano at 416² takes 4 % less time than with slices; larger networks take the same.
 */
export function mergeFocus({ shape: [out], data }: WeightTensor): WeightTensor {
  const merged = tensor([out, 3, 6, 6]);
  eachTap(out, (inSplit, inMerged) => {
    merged.data[inMerged] = data[inSplit];
  });
  return merged;
}

/** The inverse of `mergeFocus`. */
export function splitFocus({ shape: [out], data }: WeightTensor): WeightTensor {
  const split = tensor([out, 12, 3, 3]);
  eachTap(out, (inSplit, inMerged) => {
    split.data[inSplit] = data[inMerged];
  });
  return split;
}

export const isMergedFocus = ({ shape: [, channels, kernel] }: WeightTensor): boolean => channels === 3 && kernel === 6;

/** Reorders the patches of a stem [out,12,3,3]: the one at `from[i]` becomes the i-th. */
export function takePatches({ shape, data }: WeightTensor, from: readonly number[]): WeightTensor {
  const taken = tensor(shape);
  const patch = elements(shape.slice(1)) / 4;
  for (let filter = 0; filter < shape[0]; filter++) {
    const start = filter * 4 * patch;
    from.forEach((at, i) => {
      taken.data.set(data.subarray(start + at * patch, start + (at + 1) * patch), start + i * patch);
    });
  }
  return taken;
}

const tensor = (shape: number[]): WeightTensor => ({
  shape,
  data: new Float32Array(elements(shape)),
});

/** Visits each weight by its positions in both layouts; patches are top-left, bottom-left, top-right, bottom-right. */
function eachTap(out: number, visit: (inSplit: number, inMerged: number) => void): void {
  for (let inSplit = 0; inSplit < out * 12 * 9; inSplit++) {
    const [x, y, channel] = [inSplit % 3, Math.floor(inSplit / 3) % 3, Math.floor(inSplit / 9) % 3];
    const [patch, filter] = [Math.floor(inSplit / 27) % 4, Math.floor(inSplit / 108)];
    const row = 2 * y + (patch % 2);
    const column = 2 * x + Math.floor(patch / 2);
    visit(inSplit, ((filter * 3 + channel) * 6 + row) * 6 + column);
  }
}
