import type { Bundle } from '../bundle.js';
import type { Batcher } from '../engine/batcher.js';
import { decodeUpload } from '../http/upload.js';
import type { Lease, Model, Models, Place } from './model.js';

/** A model in this process. */
export class LocalModel implements Model, Models {
  readonly bundle: Bundle;
  readonly #batcher: Batcher;
  readonly #maxPixels: number;

  constructor(bundle: Bundle, batcher: Batcher, { maxPixels }: { maxPixels: number }) {
    this.bundle = bundle;
    this.#batcher = batcher;
    this.#maxPixels = maxPixels;
  }

  get live(): Bundle {
    return this.bundle;
  }

  lease(): Lease {
    return { model: this, release() {} };
  }

  admit(signal: AbortSignal): Place {
    const place = this.#batcher.admit(signal);
    return {
      detect: async ({ bytes, thresholds }) => {
        const start = performance.now();
        const picture = await decodeUpload(bytes, this.#maxPixels);
        const decode = performance.now() - start;
        const { detections, times } = await place.detect({ picture, thresholds });
        const { width, height } = picture;
        return { width, height, detections, times: { decode, ...times } };
      },
      leave: () => place.leave(),
    };
  }
}
