import { type Problem, UserError } from '../base/errors.js';

/**
 * Why an image is refused: it is of no format that is decoded; damaged; has more pixels, or more scans, frames or pages,
 * than allowed; or decoding it took too long.
 */
export type ImageFault = 'format' | 'damaged' | 'tooManyPixels' | 'tooManyParts' | 'tooSlow';

/** An image that cannot be had. */
export class ImageError extends UserError {
  override name = 'ImageError';
  readonly fault: ImageFault;

  constructor(fault: ImageFault, problem: Problem, options?: ErrorOptions) {
    super(problem, options);
    this.fault = fault;
  }
}
