import sharp from 'sharp';
import type { Detection } from '../../data/detections.js';
import type { Bundle } from '../bundle.js';
import { HttpProblem } from '../http/http_problem.js';
import type { DetectRequest, Found } from '../models/model.js';
import { Batcher } from './batcher.js';
import { decodeUpload, type PictureLimits } from './decode_upload.js';
import { DetectorThreads } from './detector_threads.js';
import { drawDetections } from './draw.js';
import type { Provider, ProviderChoice } from './providers.js';

/** Milliseconds given to measuring batches before the model is ready; the rest is learnt on the way. */
const WARM_UP_MS = 400;

/** Pictures in a batch at most, when nobody says: more save nothing on a CPU, and cost memory. */
const MAX_BATCH: Record<Provider, number> = { cpu: 4, cuda: 16, tensorrt: 16 };

export interface EngineOptions extends PictureLimits {
  /** Threads of each session; 0 lets onnxruntime choose. */
  threads: number;
  /** Batches that run at once. */
  sessions: number;
  /** Most pictures in a batch; when absent it depends on what the model runs on. */
  maxBatch?: number;
  /** What the model is to run on. */
  provider?: ProviderChoice;
}

/** What an engine came out as. */
export interface EngineInfo {
  /** Smaller than asked for when the graph takes no more. */
  maxBatch: number;
  /** What the model runs on. */
  provider: Provider;
}

/** The deadline of a request passed before the model could run. */
export class Late extends Error {}

/** A bundle at work: decodes pictures, runs them in batches, draws what was found. */
export class Engine {
  readonly info: EngineInfo;
  readonly #bundle: Bundle;
  readonly #limits: PictureLimits;
  readonly #threads: DetectorThreads;
  readonly #batcher: Batcher;

  private constructor(
    bundle: Bundle,
    info: EngineInfo,
    threads: DetectorThreads,
    batcher: Batcher,
    options: EngineOptions,
  ) {
    this.info = info;
    this.#bundle = bundle;
    this.#limits = options;
    this.#threads = threads;
    this.#batcher = batcher;
  }

  /**
   * Loads a bundle; resolves when its model is warm.
   * @param onBatch told of every batch that begins, and of how many requests still wait
   * @throws UserError for a file onnxruntime cannot load, or of another input size, or a provider that is not there
   */
  static async open(bundle: Bundle, options: EngineOptions, onBatch?: (size: number, queued: number) => void) {
    const threads = new DetectorThreads(bundle, options);
    try {
      const opened = await threads.opened();
      const maxBatch = Math.min(options.maxBatch ?? MAX_BATCH[opened.provider], opened.maxBatch);
      const batcher = new Batcher((tasks) => threads.detectBatch(tasks), {
        ...options,
        maxBatch,
        onBatch,
      });
      const engine = new Engine(bundle, { ...opened, maxBatch }, threads, batcher, options);
      await batcher.warmUp({ bytes: await blank(bundle) }, WARM_UP_MS);
      return engine;
    } catch (error) {
      await threads.close();
      throw error;
    }
  }

  /**
   * @param budget milliseconds from now until the answer is due
   * @param ending whoever aborts it ends the wait of the request
   * @throws HttpProblem 413 or 422 for the picture, Late when it could not be run in time, or the reason of `ending`
   */
  async detect({ bytes, thresholds, draw }: DetectRequest, budget: number, ending: AbortController): Promise<Found> {
    const deadline = performance.now() + budget;
    // A model that alone takes longer than the budget is to answer when it is idle all the same.
    const patience = Math.max(budget / 2, budget - this.#batcher.shortest);
    const timer = setTimeout(() => ending.abort(new Late()), patience);
    try {
      const { outcome, times } = await this.#batcher.detect({ bytes, thresholds }, deadline, ending.signal);
      if ('refused' in outcome) throw new HttpProblem(outcome.refused.status, outcome.refused.reason);
      const drawn = draw ? await this.#draw(bytes, outcome.detections) : undefined;
      return { ...outcome, times: { ...times }, drawn };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Milliseconds of a picture alone, and between two pictures when all sessions are busy; decoding aside. */
  get times(): { alone: number; pace: number } {
    return { alone: this.#batcher.shortest, pace: this.#batcher.pace };
  }

  /** Frees the model, after the batches in hand. */
  async close(): Promise<void> {
    await this.#threads.close();
  }

  async #draw(bytes: Uint8Array, detections: readonly Detection[]): Promise<Uint8Array> {
    return drawDetections(await decodeUpload(bytes, this.#limits), detections, this.#bundle.categories);
  }
}

/** A black picture of the model's size. */
function blank({ preprocess }: Bundle): Promise<Buffer> {
  const [height, width] = preprocess.size;
  return sharp({ create: { width, height, channels: 3, background: '#000' } })
    .jpeg()
    .toBuffer();
}
