import { iou } from '../../detect/box.js';
import type { Detection } from '../../detect/nms.js';
import type { DetectAnswer, DetectRequest } from '../detect_request.js';
import type { Model } from './model.js';
import type { ModelProcess } from './model_process.js';

/** Copies in hand at most: a shadow must not take the cores from those who wait for answers. */
const COPIES = 2;

/** Overlap from which on two boxes of a class are the same object. */
const SAME_OBJECT = 0.5;

/** How a copy of a request went. */
export type ShadowOutcome = ({ result: 'compared' } & Agreement) | { result: 'dropped' } | { result: 'failed' };

/** Boxes of two answers for one image. */
export interface Agreement {
  both: number;
  liveOnly: number;
  shadowOnly: number;
}

/** Sends copies of what a live version answered to another, compares, and forgets: clients never notice. */
export class Shadow {
  readonly model: ModelProcess;
  readonly #onOutcome: (outcome: ShadowOutcome) => void;

  constructor(model: ModelProcess, onOutcome: (outcome: ShadowOutcome) => void) {
    this.model = model;
    this.#onOutcome = onOutcome;
  }

  /** The live version as it is, whose answers are followed by copies. */
  behind(live: ModelProcess): Model {
    return {
      bundle: live.bundle,
      check: () => live.check(),
      admit: () => live.admit(),
      detect: async (request, ticket, signal) => {
        const answer = await live.detect(request, ticket, signal);
        // Copies are the first to go when requests wait.
        if (live.queued > 0 || this.model.admitted >= COPIES) this.#onOutcome({ result: 'dropped' });
        else void this.#compare(request, answer);
        return answer;
      },
    };
  }

  async #compare({ bytes, thresholds }: DetectRequest, live: DetectAnswer): Promise<void> {
    try {
      const ticket = this.model.admit();
      try {
        const { detections } = await this.model.detect({ bytes, thresholds }, ticket, new AbortController().signal);
        this.#onOutcome({ result: 'compared', ...agreement(live.detections, detections) });
      } finally {
        ticket.leave();
      }
    } catch {
      this.#onOutcome({ result: 'failed' });
    }
  }
}

/** Matches boxes one-to-one, best first, with the most overlapping of the same class. */
export function agreement(live: readonly Detection[], shadow: readonly Detection[]): Agreement {
  const left = new Set(shadow);
  let both = 0;
  for (const { box, classIndex } of live) {
    let best: Detection | undefined;
    for (const other of left) {
      const overlap = iou(box, other.box);
      if (other.classIndex !== classIndex || overlap < SAME_OBJECT) continue;
      if (best === undefined || overlap > iou(box, best.box)) best = other;
    }
    if (best === undefined) continue;
    left.delete(best);
    both++;
  }
  return { both, liveOnly: live.length - both, shadowOnly: left.size };
}
