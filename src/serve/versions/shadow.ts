import { iou } from '../../detect/box.js';
import type { Detection } from '../../detect/nms.js';
import type { DetectRequest, Found, Model } from './model.js';
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
      admit: (signal) => {
        const place = live.admit(signal);
        return {
          detect: async (request) => {
            const found = await place.detect(request);
            // Copies are the first to go when anybody waits.
            if (live.queued > 0 || this.model.admitted >= COPIES) this.#onOutcome({ result: 'dropped' });
            else void this.#compare(request, found);
            return found;
          },
          leave: () => place.leave(),
        };
      },
    };
  }

  async #compare({ bytes, thresholds }: DetectRequest, live: Found): Promise<void> {
    try {
      const place = this.model.admit(new AbortController().signal);
      try {
        const { detections } = await place.detect({ bytes, thresholds });
        this.#onOutcome({ result: 'compared', ...agreement(live.detections, detections) });
      } finally {
        place.leave();
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
