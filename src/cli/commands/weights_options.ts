import { z } from 'zod';
import { inputSize } from '../../config/preprocess.js';
import { text } from '../../config/schema.js';
import { readClassNames } from '../../detect/class_names.js';
import type { ImportCheck } from '../../model/onnx/verify.js';
import type { OpenOptions } from '../../model/weights/open.js';

/** Options for what weights of other frameworks leave out: their input format and class names. */
export const weightsOptions = {
  size: inputSize.optional().describe('Input height and width, pixels; one number for a square'),
  legacy: z
    .boolean()
    .optional()
    .describe(
      'Weights from before YOLOX 0.1.1 (RGB, ImageNet statistics); --no-legacy for later ones. Guessed by default',
    ),
  classes: text
    .optional()
    .describe('Class names for weights without them: a,b,c or a file (one per line, COCO JSON, or YAML)'),
};

interface WeightsArgs {
  size?: [number, number];
  legacy?: boolean;
  classes?: string;
}

/** @throws UserError for a file of class names that cannot be read */
export async function toOpenOptions({ size, legacy, classes }: WeightsArgs): Promise<OpenOptions> {
  return { size, legacy, categories: classes === undefined ? undefined : await readClassNames(classes) };
}

/** The first class names of a network, for people. */
export function describeClasses(categories: readonly { name: string }[] | undefined, count: number): string {
  if (categories === undefined) return `${count} without names: --classes names them`;
  const names = categories.slice(0, 6).map(({ name }) => name);
  return `${names.join(', ')}${categories.length > names.length ? `, … (${categories.length})` : ''}`;
}

/** A line on how much a network differs from the ONNX file it was read from; none for other files. */
export function describeCheck(check: ImportCheck | undefined): string[] {
  if (check === undefined) return [];
  const { difference, magnitude, size } = check;
  const gap = `raw outputs up to ${magnitude.toPrecision(3)} differ by ${difference.toExponential(1)}`;
  return [`compared       with the file in onnxruntime: ${gap} on a generated image of ${size.join('×')}`];
}
