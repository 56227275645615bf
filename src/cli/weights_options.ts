import type { Argv } from 'yargs';
import type { OpenOptions } from '../model/weights/open.js';

interface WeightsFlags {
  size?: number[];
  legacy?: boolean;
}

/** The flags that say how foreign weights want their input. */
export const weightsOptions = <T>(yargs: Argv<T>) =>
  yargs
    .option('size', { type: 'number', array: true, nargs: 2, describe: 'Height and width of the input, pixels' })
    .option('legacy', {
      type: 'boolean',
      describe: 'Weights of YOLOX before 0.1.1 (RGB, ImageNet statistics); --no-legacy: since. Guessed when absent',
    });

export function toOpenOptions({ size, legacy }: WeightsFlags): OpenOptions {
  return { size: size && [size[0], size[1]], legacy };
}
