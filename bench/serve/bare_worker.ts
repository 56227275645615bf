import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import sharp from 'sharp';
import type { Preprocess } from '../../src/config/preprocess.js';
import { readBundle } from '../../src/detect/bundle.js';

/** What a worker is told first; it answers `ready`. */
export interface BareSettings {
  bundle: string;
  /** Threads of onnxruntime in this process. */
  threads: number;
  spin: boolean;
  /** Decoded before each run, in turns; without them the model runs on the same input again and again. */
  images?: readonly string[];
}

/** Then for how long it shall work; it answers `BareTimes`. */
export interface BareOrder {
  seconds: number;
}

export interface BareTimes {
  /** Milliseconds of each run, its image's decoding included. */
  times: number[];
}

/** onnxruntime-node alone: what no server on it can be faster than. */
async function open({ bundle, threads, spin, images }: BareSettings): Promise<() => Promise<unknown>> {
  const { dir, model, preprocess } = await readBundle(bundle);
  const session = await ort.InferenceSession.create(join(dir, model.file), {
    intraOpNumThreads: threads,
    extra: { session: { intra_op: { allow_spinning: spin ? '1' : '0' } } },
    logSeverityLevel: 3,
  });
  const [height, width] = preprocess.size;
  const data = new Float32Array(3 * height * width).fill(preprocess.pad);
  const feeds = { [model.input]: new ort.Tensor('float32', data, [1, 3, height, width]) };
  if (images === undefined) return () => session.run(feeds);
  const encoded = await Promise.all(images.map((path) => readFile(path)));
  let next = 0;
  return async () => {
    await decodeInto(data, encoded[next++ % encoded.length], preprocess);
    return session.run(feeds);
  };
}

/** An image as one would prepare it by hand: sharp decodes and fits, a loop orders the channels. */
async function decodeInto(into: Float32Array, jpeg: Buffer, { size, color, scale, mean, std, pad }: Preprocess) {
  const [height, width] = size;
  const pixels = await sharp(jpeg)
    .resize(width, height, { fit: 'contain', position: 'left top', background: { r: pad, g: pad, b: pad } })
    .removeAlpha()
    .raw()
    .toBuffer();
  const plane = height * width;
  for (let channel = 0; channel < 3; channel++) {
    const [factor, offset] = [scale / std[channel], mean[channel] / std[channel]];
    const target = channel * plane;
    for (let i = 0, from = color === 'bgr' ? 2 - channel : channel; i < plane; i++, from += 3) {
      into[target + i] = pixels[from] * factor - offset;
    }
  }
}

let run: () => Promise<unknown>;

process.on('message', async (message: BareSettings | BareOrder) => {
  if ('bundle' in message) {
    run = await open(message);
    await run();
    process.send?.('ready');
    return;
  }
  const times: number[] = [];
  const end = performance.now() + message.seconds * 1000;
  for (let start = performance.now(); start < end; ) {
    await run();
    const now = performance.now();
    times.push(now - start);
    start = now;
  }
  process.send?.({ times } satisfies BareTimes);
});
