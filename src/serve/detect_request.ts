import type { Detection, Thresholds } from '../detect/nms.js';
import type { BatchTimes } from '../detect/onnx_detector.js';
import type { ErrorBody } from './api_error.js';

/** A file, whole or in the pieces it came in. */
export type FileBytes = Uint8Array | readonly Uint8Array[];

/** An encoded image on its way to a detector. */
export interface DetectRequest<Bytes extends FileBytes = FileBytes> {
  bytes: Bytes;
  /** Thresholds that differ from the bundle's. */
  thresholds?: Partial<Thresholds>;
  /** Also answer the image with its objects drawn on it. */
  draw?: boolean;
  /** Set where no other image waits for this one: it may use the whole decode timeout. */
  alone?: boolean;
}

/** The objects of an image. */
export interface Detected {
  /** Pixels of the upright image. */
  width: number;
  height: number;
  /** In pixels of that image, best first. */
  detections: Detection[];
  /** PNG, where `draw` was asked for. */
  drawn?: Uint8Array;
}

/** The result of a request in a batch: found, refused, or too slow for a batch, to be sent again alone. */
export type Outcome = Detected | { refused: ErrorBody } | { long: true };

/** The outcomes of a batch in the order of its requests, and milliseconds of each stage. */
export interface BatchResult {
  outcomes: Outcome[];
  times: BatchTimes & { decode: number };
}

/** An image's objects, with the milliseconds its request spent in each stage: queue, decode, letterbox, inference, post. */
export type DetectAnswer = Detected & { times: Record<string, number> };
