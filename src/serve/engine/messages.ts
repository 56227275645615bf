import type { Problem } from '../../base/errors.js';
import type { Bundle } from '../bundle.js';
import type { Reason } from '../http/http_problem.js';
import type { DetectRequest, Found } from '../models/model.js';
import type { EngineInfo, EngineOptions } from './engine.js';

/** What the service tells the process of a model. */
export type ToEngine =
  | { type: 'open'; bundle: Bundle; options: EngineOptions }
  /** `deadline` is a time on the {@link clock}. */
  | { type: 'detect'; id: number; request: DetectRequest; deadline: number }
  /** Nobody waits for the answer any more. */
  | { type: 'cancel'; id: number };

/** What the process of a model tells the service. */
export type FromEngine =
  /** Milliseconds of a picture alone, and between two pictures when all sessions are busy. */
  | { type: 'ready'; info: EngineInfo; alone: number; pace: number }
  /** The bundle cannot be served; the process ends. */
  | { type: 'unusable'; problem: Problem }
  /** A run of the model begins. */
  | { type: 'batch'; size: number; queued: number }
  | { type: 'found'; id: number; found: Found }
  | { type: 'refused'; id: number; status: number; reason: Reason }
  /** The deadline passed before the model could run. */
  | { type: 'late'; id: number }
  /** A fault of ours; the message is for the log. */
  | { type: 'failed'; id: number; message: string };

/** Milliseconds on a clock that all processes of a machine share (CLOCK_MONOTONIC). */
export const clock = (): number => Number(process.hrtime.bigint()) / 1e6;
