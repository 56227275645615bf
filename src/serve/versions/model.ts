import type { Bundle } from '../../detect/bundle.js';
import type { Ticket } from '../batching/admission.js';
import type { DetectAnswer, DetectRequest } from '../detect_request.js';

/** One version of a model, wherever it runs. */
export interface Model {
  readonly bundle: Bundle;
  /**
   * Refuses what `admit` would refuse now; for before a body is read. Reserves nothing.
   *
   * @throws ApiError as {@link Model.admit}
   */
  check(): void;
  /** @throws ApiError 503 with a time to retry after, when it has more to do than it can answer in time */
  admit(): Ticket;
  /**
   * Finds the objects in an image.
   *
   * @param ticket from {@link Model.admit}, which the caller gives back
   * @param signal aborts when the client has gone
   * @throws ApiError 413 or 422 for the image, 503 when it waited too long, 499 when the client has gone
   */
  detect(request: DetectRequest, ticket: Ticket, signal: AbortSignal): Promise<DetectAnswer>;
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
