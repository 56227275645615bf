import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { UserError } from '../../base/errors.js';
import { Random } from '../../base/random.js';
import type { Preprocess } from '../../config/preprocess.js';
import type { TrainConfig } from '../../config/schema.js';
import { mosaicWarp } from '../../kernels/mosaic_warp/index.js';
import type { PackedBatch } from '../../kernels/mosaic_warp/pack.js';
import type { Tensor4D } from '../../kernels/tf.js';
import { type AugmentedExample, type Example, lightExample, strongExample } from './augment.js';
import type { BadImage, BatchTask } from './batch_worker.js';
import { explainWorkerError } from './worker_error.js';

export interface Batch {
  /** [N,H,W,3] preprocessed; the receiver of the batch disposes of it. */
  images: Tensor4D;
  /** [N, maxBoxes, 5] class, cx, cy, w, h in input pixels; rows of zeros are none. */
  labels: Float32Array;
  size: [height: number, width: number];
}

/** A batch as the worker threads hand it over: images as bytes, drawn only when the batch is taken. */
interface Prepared {
  packed: PackedBatch;
  labels: Float32Array;
  size: [height: number, width: number];
}

const WORKER = fileURLToPath(new URL(`./batch_worker${extname(import.meta.url)}`, import.meta.url));

/** Batches made ahead by the worker threads. */
const READ_AHEAD = 3;

/** Milliseconds that batches under way have to be finished in when the loader closes; then their threads are ended. */
const CLOSE_MS = 5000;

/** Multi-scale changes the sides by whole steps of the largest stride. */
const SIZE_STEP = 32;

/**
 * The training batches. Every random choice is drawn from (seed, epoch, position), so any epoch can be made again
 * without the ones before it.
 */
export class BatchLoader {
  readonly iterationsPerEpoch: number;
  readonly #examples: readonly Example[];
  readonly #preprocess: Preprocess;
  readonly #config: TrainConfig;
  readonly #pool: Piscina<BatchTask, PackedBatch | BadImage>;
  /** Never resolves; rejects when a worker dies between two batches. */
  readonly #failed: Promise<never>;

  /** @param workerFile what runs in the worker threads */
  constructor(examples: readonly Example[], preprocess: Preprocess, config: TrainConfig, workerFile = WORKER) {
    this.#examples = examples;
    this.#preprocess = preprocess;
    this.#config = config;
    this.iterationsPerEpoch = Math.max(1, Math.floor(examples.length / config.batch));
    this.#pool = new Piscina({
      filename: workerFile,
      maxThreads: config.workers,
      minThreads: config.workers,
      closeTimeout: CLOSE_MS,
    });
    // Without a listener the pool would throw, even for batches nothing waits for once it closes.
    this.#failed = new Promise((_, reject) => this.#pool.on('error', (error) => reject(explainWorkerError(error))));
    this.#failed.catch(() => {});
  }

  /** The batches of an epoch in order; `augmented` false leaves out mosaic and mixup. */
  async *epoch(epoch: number, augmented: boolean): AsyncGenerator<Batch> {
    const order = new Random(this.#config.seed, 'order', epoch).shuffle([...this.#examples.keys()]);
    const queue: Promise<Prepared>[] = [];
    for (let next = 0, done = 0; done < this.iterationsPerEpoch; done++) {
      while (next < this.iterationsPerEpoch && queue.length < READ_AHEAD + this.#config.workers) {
        const batch = this.#prepare(epoch, next++, order, augmented);
        // The failure is thrown when the batch is awaited; until then it must not count as unhandled.
        batch.catch(() => {});
        queue.push(batch);
      }
      const { packed, labels, size } = await Promise.race([queue.shift() as Promise<Prepared>, this.#failed]);
      yield { images: mosaicWarp(packed, { ...this.#preprocess, size }), labels, size };
    }
  }

  /** Ends the worker threads, once the batches under way are done: one cut off would still send its answer. */
  async close(): Promise<void> {
    await this.#pool.close({ force: true });
  }

  async #prepare(epoch: number, iteration: number, order: number[], augmented: boolean): Promise<Prepared> {
    const { batch, cacheMb, workers } = this.#config;
    const size = this.#size(epoch, iteration);
    const items = Array.from({ length: batch }, (_, i) => {
      const position = iteration * batch + i;
      return this.#augment(
        order[position % order.length],
        size,
        augmented,
        new Random(this.#config.seed, epoch, position),
      );
    });
    const task = { items: items.map(({ plan, paths }) => ({ plan, paths })), size };
    const packed = await this.#pool.run({ ...task, cacheBytes: (cacheMb * 2 ** 20) / workers }).catch((error) => {
      throw explainWorkerError(error);
    });
    if ('problem' in packed) throw this.#unreadable(packed);
    return { packed, labels: this.#packLabels(items), size };
  }

  #unreadable({ path, problem }: BadImage): UserError {
    const { name } = this.#examples.find((example) => example.path === path) as Example;
    return new UserError({
      ...problem,
      where: `${name} (${path})`,
      // Not the decoder's remedy: the file is the store's.
      hint: 'Its copy in the store is damaged or gone: `npx yolox-node data-load --force` imports it again.',
    });
  }

  #augment(index: number, size: [number, number], augmented: boolean, random: Random): AugmentedExample {
    const { augment } = this.#config;
    const example = this.#examples[index];
    return augmented
      ? strongExample(example, () => random.pick(this.#examples), size, augment, random)
      : lightExample(example, size, augment, random);
  }

  /** Multi-scale: the shorter side changes by up to `multiscale` steps, the other in proportion. */
  #size(epoch: number, iteration: number): [number, number] {
    const { multiscale, multiscaleEvery, seed } = this.#config;
    const [height, width] = this.#preprocess.size;
    const period = Math.floor((epoch * this.iterationsPerEpoch + iteration) / multiscaleEvery);
    const steps = new Random(seed, 'size', period).int(-multiscale, multiscale);
    const short = Math.min(height, width);
    const resized = Math.max(short + steps * SIZE_STEP, SIZE_STEP);
    const scale = (side: number) => Math.round((side * resized) / short / SIZE_STEP) * SIZE_STEP;
    return [scale(height), scale(width)];
  }

  #packLabels(items: AugmentedExample[]): Float32Array {
    const rows = this.#config.maxBoxes;
    const labels = new Float32Array(items.length * rows * 5);
    items.forEach((item, n) => {
      item.labels.slice(0, rows).forEach(({ classIndex, x1, y1, x2, y2 }, row) => {
        labels.set([classIndex, (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], (n * rows + row) * 5);
      });
    });
    return labels;
  }
}
