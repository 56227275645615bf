import { ApiError } from '../api_error.js';
import type { DetectAnswer, DetectRequest, Outcome } from '../detect_request.js';
import type { Ticket } from './admission.js';

/** A request that waits for its answer. */
export interface PendingRequest {
  request: DetectRequest;
  ticket: Ticket;
  /** When it came, on the clock. */
  since: number;
  /** Was in a batch that failed: runs by itself, so that it cannot harm others again. */
  alone: boolean;
  /** The worker that died with it in hand: in the next one nothing is beside it, so that another death names the culprit. */
  suspectOf?: number;
  /** Takes long to decode: it goes to the instance for such images. */
  long: boolean;
  /** Its client has gone, or it was given up. */
  over: boolean;
  resolve: (answer: DetectAnswer) => void;
  reject: (reason: unknown) => void;
}

/** Whether a worker died with it in hand. */
export const isSuspect = ({ suspectOf }: PendingRequest): boolean => suspectOf !== undefined;

/** The refusal of an image whose worker died twice, the second time with nothing beside it. */
export const killsItsWorker = (): ApiError =>
  new ApiError({
    code: 'undecodable',
    message: 'The image crashes the model process.',
    expected: 'an image that is decoded in time',
    hint: 'Save it again at its size as a baseline JPEG.',
  });

/** Answers a request with the outcome of its image. */
export function settle(
  { ticket, long, over, resolve, reject }: PendingRequest,
  outcome: Exclude<Outcome, { long: true }>,
  times: DetectAnswer['times'],
): void {
  if (over) return;
  // The latency of images that take long says nothing of others.
  if (!long) ticket.measure();
  if ('refused' in outcome) reject(new ApiError(outcome.refused));
  else resolve({ ...outcome, times });
}
