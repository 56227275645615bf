import type { Bundle } from '../../detect/bundle.js';
import type { Detection, Thresholds } from '../../detect/nms.js';
import type { FileBytes } from '../worker/frames.js';

/** An image to look at, as it came. */
export interface DetectRequest {
  /** The encoded image. */
  bytes: FileBytes;
  /** What is asked otherwise than the bundle says. */
  thresholds: Partial<Thresholds>;
  /** Whether to answer the image with its objects drawn into it, too. */
  draw?: boolean;
}

export interface Found {
  /** Pixels of the upright image. */
  width: number;
  height: number;
  /** In pixels of that image, best first. */
  detections: Detection[];
  /** Milliseconds of each stage: queue, decode, letterbox, inference, post. */
  times: Record<string, number>;
  /** PNG, when `draw` was asked for. */
  drawn?: Uint8Array;
}

/** A request's place among those a model takes at once. */
export interface Place {
  /** @throws ApiError 413 or 422 for the image, 503 when it waited too long, 499 when the client has gone */
  detect(request: DetectRequest): Promise<Found>;
  leave(): void;
}

/** One version of a model, wherever it runs. */
export interface Model {
  readonly bundle: Bundle;
  /**
   * Costs nothing and promises nothing: for before a body is read.
   * @throws ApiError as `admit` would now
   */
  check(): void;
  /** @throws ApiError 503 with Retry-After when it has more to do than it can answer in time */
  admit(signal: AbortSignal): Place;
}

/** Keeps a model loaded while a request is on its way to it, so that nothing fails when versions change. */
export interface Lease {
  readonly model: Model;
  release(): void;
}

/** The versions of a service, of which one is chosen for each request. */
export interface Models {
  /** The version that answers when nothing else is asked. */
  readonly live: Bundle;
  lease(): Lease;
}
