import type { Detection } from '../../data/detections.js';
import type { Picture } from '../../data/picture.js';
import type { Bundle } from '../bundle.js';
import type { DetectRequest, Found } from '../models/model.js';
import { Batcher } from './batcher.js';
import { decodeUpload, type PictureLimits } from './decode_upload.js';
import { DetectorThreads } from './detector_threads.js';
import { drawDetections } from './draw.js';
import type { Provider, ProviderChoice } from './providers.js';
import { Slots } from './slots.js';

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
  /** Pictures held decoded: as many as run, and as many to follow them. */
  readonly #decoded: Slots;

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
    this.#decoded = new Slots(2 * options.sessions * info.maxBatch);
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
        onBatch: (size, queued) => onBatch?.(size, queued + engine.#decoded.waiting),
      });
      const engine = new Engine(bundle, { ...opened, maxBatch }, threads, batcher, options);
      await batcher.warmUp({ picture: blank(bundle) }, WARM_UP_MS);
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
  async detect(request: DetectRequest, budget: number, ending: AbortController): Promise<Found> {
    const { signal } = ending;
    const start = performance.now();
    // A model that alone takes longer than the budget is to answer when it is idle all the same.
    const patience = Math.max(budget / 2, budget - this.#batcher.shortest);
    const timer = setTimeout(() => ending.abort(new Late()), patience);
    try {
      await this.#decoded.take(signal);
      try {
        return await this.#look(request, start, start + budget, signal);
      } finally {
        this.#decoded.give();
      }
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

  async #look({ bytes, thresholds, draw }: DetectRequest, since: number, deadline: number, signal: AbortSignal) {
    const begun = performance.now();
    const picture = await decodeUpload(bytes, this.#limits, this.#bundle.preprocess.size);
    const decode = performance.now() - begun;
    const { detections, times } = await this.#batcher.detect({ picture, thresholds }, deadline, signal);
    const { width, height } = picture.original ?? picture;
    const queue = begun - since + times.queue;
    const drawn = draw ? await this.#draw(picture, bytes, detections) : undefined;
    return { width, height, detections, times: { decode, ...times, queue }, drawn };
  }

  async #draw(picture: Picture, bytes: Uint8Array, detections: readonly Detection[]): Promise<Uint8Array> {
    const whole = picture.original ? await decodeUpload(bytes, this.#limits) : picture;
    return drawDetections(whole, detections, this.#bundle.categories);
  }
}

/** A black picture of the model's size. */
function blank({ preprocess }: Bundle): Picture {
  const [height, width] = preprocess.size;
  return { width, height, data: new Uint8Array(3 * height * width) };
}
