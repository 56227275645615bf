import type { Image } from '../image/image.js';
import type { CocoCategory } from './coco.js';
import type { Detection, Thresholds } from './nms.js';

/** A model that finds objects in images, independent of what runs it. */
export interface Detector {
  /** Name for people: name and version of a bundle, or path of the weights. */
  readonly name: string;
  /** In the order of the model's classes. */
  readonly categories: readonly CocoCategory[];
  /** Height, width of its input, pixels. */
  readonly size: readonly [number, number];
  /** Defaults for calls without thresholds. */
  readonly thresholds: Thresholds;
  /** Finds the objects in an image: boxes in pixels of the original, best first. */
  detect(image: Image, thresholds?: Partial<Thresholds>): Promise<Detection[]>;
  /** Frees the model once pending images are done. */
  close(): Promise<void>;
}
