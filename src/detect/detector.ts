import type { Image } from '../image/image.js';
import type { CocoCategory } from './coco.js';
import type { Detection, Thresholds } from './nms.js';

/** A model that finds objects in images, whatever runs it. */
export interface Detector {
  /** For people: name and version of a bundle, or the path of the weights. */
  readonly name: string;
  /** In the order of the model's classes. */
  readonly categories: readonly CocoCategory[];
  /** Height, width of its input, pixels. */
  readonly size: readonly [number, number];
  /** Used where a call gives no others. */
  readonly thresholds: Thresholds;
  /** Finds the objects in an image: boxes in pixels of the original, best first. */
  detect(image: Image, thresholds?: Partial<Thresholds>): Promise<Detection[]>;
  /** Frees the model, after the images in hand. */
  close(): Promise<void>;
}
