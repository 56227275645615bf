import { z } from 'zod';
import { inputSize } from '../config/preprocess.js';
import type { OpenOptions } from '../model/weights/open.js';

/** The options that say how foreign weights want their input. */
export const weightsOptions = {
  size: inputSize.optional().describe('Height and width of the input, pixels; one number is a square'),
  legacy: z
    .boolean()
    .optional()
    .describe('Weights of YOLOX before 0.1.1 (RGB, ImageNet statistics); --no-legacy: since. Guessed when absent'),
};

export function toOpenOptions({ size, legacy }: { size?: [number, number]; legacy?: boolean }): OpenOptions {
  return { size, legacy };
}
