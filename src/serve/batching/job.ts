import { ApiError } from '../api_error.js';
import type { DetectRequest, Found } from '../versions/model.js';
import type { Outcome } from '../worker/upload_detector.js';
import type { Seat } from './admission.js';

/** A request that waits for its answer. */
export interface Job {
  request: DetectRequest;
  seat: Seat;
  since: number;
  /** Was in a batch that failed: runs by itself, so that it cannot harm others again. */
  alone: boolean;
  /** The process that died with it in hand: in the next one nothing is beside it, so that another death names the culprit. */
  suspectOf?: number;
  /** Takes long to decode: it goes to the detector for such, beside those that look at all others. */
  long: boolean;
  /** Nobody waits for it any more. */
  over: boolean;
  resolve: (found: Found) => void;
  reject: (reason: unknown) => void;
}

/** Whether a process died with it in hand. */
export const isSuspect = ({ suspectOf }: Job): boolean => suspectOf !== undefined;

/** Twice, the second time by itself: the others are answered. */
export function killsItsProcess(): ApiError {
  return new ApiError({
    code: 'undecodable',
    message: 'The image kills its process.',
    expected: 'an image that is decoded in time',
    hint: 'Save it again at its size as a baseline JPEG.',
  });
}

/** Tells who waits what became of it. */
export function settle(job: Job, outcome: Exclude<Outcome, { long: true }>, times: Found['times']): void {
  if (job.over) return;
  // How long images take that are out of the ordinary says nothing of the others.
  if (!job.long) job.seat.measure();
  if ('refused' in outcome) job.reject(new ApiError(outcome.refused));
  else job.resolve({ ...outcome, times });
}
