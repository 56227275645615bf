import { z } from 'zod';
import { inputSize } from '../../config/preprocess.js';
import { text } from '../../config/schema.js';
import { readClassNames } from '../../detect/class_names.js';
import type { ImportCheck } from '../../model/onnx/verify.js';
import type { OpenOptions } from '../../model/weights/open.js';

/** The options that say what foreign weights don't: how they want their input, and what their classes are called. */
export const weightsOptions = {
  size: inputSize.optional().describe('Height and width of the input, pixels; one number is a square'),
  legacy: z
    .boolean()
    .optional()
    .describe('Weights of YOLOX before 0.1.1 (RGB, ImageNet statistics); --no-legacy: since. Guessed when absent'),
  classes: text
    .optional()
    .describe('Names of the classes of weights that have none: a,b,c or a file: one a line, COCO JSON, YAML'),
};

interface WeightsArgs {
  size?: [number, number];
  legacy?: boolean;
  classes?: string;
}

/** @throws UserError for a file of names that cannot be read */
export async function toOpenOptions({ size, legacy, classes }: WeightsArgs): Promise<OpenOptions> {
  return { size, legacy, categories: classes === undefined ? undefined : await readClassNames(classes) };
}

/** The names of a network's classes for people, the first of many. */
export function describeClasses(categories: readonly { name: string }[] | undefined, count: number): string {
  if (categories === undefined) return `${count} without names: --classes names them`;
  const names = categories.slice(0, 6).map(({ name }) => name);
  return `${names.join(', ')}${categories.length > names.length ? `, … (${categories.length})` : ''}`;
}

/** How far a network is from the ONNX file it was read from, as a line for people; none for other files. */
export function describeCheck(check: ImportCheck | undefined): string[] {
  if (check === undefined) return [];
  const { difference, magnitude, size } = check;
  const gap = `raw outputs up to ${magnitude.toPrecision(3)} differ by ${difference.toExponential(1)}`;
  return [`compared       with the file in onnxruntime: ${gap} on a drawn image of ${size.join('×')}`];
}
