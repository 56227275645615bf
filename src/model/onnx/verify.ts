import { InferenceSession, Tensor } from 'onnxruntime-node';
import { messageOf, UserError } from '../../base/errors.js';
import { Random } from '../../base/random.js';
import type { Preprocess } from '../../config/preprocess.js';
import type { LevelOutput } from '../network.js';
import { exportHeads, INPUT } from './export.js';
import { isKnownOutput, type LevelMap } from './outputs.js';
import { inFloat32, mixesPrecision } from './precision.js';
import type { OnnxNetwork } from './read.js';
import { DATA_TYPE, encodeModel, encodeOutputs, type OnnxModel } from './schema.js';

/**
 * Largest difference of the raw outputs of a channel, relative to their spread and to their size. Float32 rounding
 * errors are smaller (published nano: 3e-6 of the size).
 */
const SPREAD_TOLERANCE = 1e-3;
const SIZE_TOLERANCE = 1e-5;

/** Difference between the network and the file it was read from, on a generated image. */
export interface ImportCheck {
  /** Height, width of the image. */
  size: readonly [number, number];
  /** Largest difference of any raw output of the head, and the largest of those outputs. */
  difference: number;
  magnitude: number;
}

/**
 * Runs the file and the network read from it in onnxruntime on the same generated image and compares the raw outputs of
 * the head, then checks the file's own outputs against them. `bytes` are those of the model in one file.
 * @throws UserError if they differ by more than rounding, or onnxruntime rejects the file
 */
export async function verifyImport(
  bytes: Uint8Array,
  model: OnnxModel,
  network: OnnxNetwork,
  preprocess: Preprocess,
): Promise<ImportCheck> {
  const { graph, weights, architecture, levels } = network;
  const { where } = graph;
  const names = levels.flatMap(({ reg, obj, cls }) => [reg, obj, cls]);
  const added = names.filter((name) => !graph.outputs.includes(name));
  const whole = mixesPrecision(model) ? encodeModel(inFloat32(model, where)) : bytes;
  const size = network.size ?? preprocess.size;
  const shape = [graph.inputShape[0] ?? 1, 3, ...size];
  const image = drawImage(shape, preprocess);
  const feed = graph.inputType === DATA_TYPE.uint8 ? Uint8Array.from(image) : image;
  const theirs = await run(
    Buffer.concat([whole, encodeOutputs(added)]),
    { [graph.input]: new Tensor(feed as never, shape) },
    where,
  );
  const ours = exportHeads(weights, architecture);
  const expected = await run(ours.model, { [INPUT]: new Tensor(Float32Array.from(feed), shape) }, where);

  let [difference, magnitude] = [0, 0];
  for (const [i, level] of levels.entries()) {
    for (const part of ['reg', 'obj', 'cls'] as const) {
      const [a, b] = [theirs[level[part]], expected[ours.levels[i][part]]];
      const found = compareMaps(a, b);
      if (!(found.excess <= 1)) {
        throw new UserError({
          where,
          field: `value ${level[part]}`,
          expected: 'the outputs of the network read from the file, for the same image',
          received: `a difference of ${found.difference.toExponential(1)} in values up to ${found.magnitude.toExponential(1)}`,
          hint: 'The file computes something else than YOLOX: it cannot be imported.',
        });
      }
      difference = Math.max(difference, found.difference);
      magnitude = Math.max(magnitude, found.magnitude);
    }
  }
  checkOutputs(graph, theirs, levels);
  return { size, difference, magnitude };
}

/** Compares two maps [batch,channels,height,width]; `excess` is the largest difference divided by its tolerance. */
function compareMaps(a: Tensor, b: Tensor): { difference: number; magnitude: number; excess: number } {
  if (a.dims.join() !== b.dims.join()) return { difference: Number.NaN, magnitude: Number.NaN, excess: Number.NaN };
  const [batch, channels, height, width] = b.dims;
  const total = { difference: 0, magnitude: 0, excess: 0 };
  for (let plane = 0; plane < batch * channels; plane++) {
    const range = [plane * height * width, (plane + 1) * height * width] as const;
    const [theirs, ours] = [a, b].map(({ data }) => (data as Float32Array).subarray(...range));
    const [least, most] = [ours.reduce((x, y) => Math.min(x, y)), ours.reduce((x, y) => Math.max(x, y))];
    const magnitude = Math.max(-least, most);
    const difference = ours.reduce((worst, value, i) => Math.max(worst, Math.abs(value - theirs[i])), 0);
    const tolerance = SPREAD_TOLERANCE * (most - least) + SIZE_TOLERANCE * magnitude + Number.MIN_VALUE;
    total.difference = Math.max(total.difference, difference);
    total.magnitude = Math.max(total.magnitude, magnitude);
    total.excess = Math.max(total.excess, difference / tolerance);
  }
  return total;
}

/** Errors of onnxruntime for an unknown opset, IR version or operator. */
const UNKNOWN_TO_ONNXRUNTIME = /opset|IR version|invalid model|not a registered|No opset|NOT_IMPLEMENTED/i;

async function run(model: Uint8Array, feeds: Record<string, Tensor>, where: string): Promise<Record<string, Tensor>> {
  let session: InferenceSession | undefined;
  try {
    session = await InferenceSession.create(model, { logSeverityLevel: 4 });
    return (await session.run(feeds)) as Record<string, Tensor>;
  } catch (error) {
    const expected = 'a model that onnxruntime runs, to compare with it the network that was read';
    const reason = messageOf(error);
    const hint = UNKNOWN_TO_ONNXRUNTIME.test(reason)
      ? 'Export it again with an older opset, without operators of other runtimes and without NMS.'
      : 'Where its input has no fixed size, give the one it was exported for with --size.';
    throw new UserError({ where, expected, reason, hint }, { cause: error });
  } finally {
    await session?.release();
  }
}

/** The file's own outputs must mean the same as YOLOX's; another sigmoid, grid or stride would give other boxes. */
function checkOutputs(
  graph: OnnxNetwork['graph'],
  values: Record<string, Tensor>,
  levels: LevelOutput<string>[],
): void {
  const mapOf = (name: string): LevelMap => {
    const { dims, data } = values[name];
    const [, channels, height, width] = dims;
    return { channels, height, width, data: (data as Float32Array).subarray(0, channels * height * width) };
  };
  const maps = levels.map(({ reg, obj, cls }) => ({ reg: mapOf(reg), obj: mapOf(obj), cls: mapOf(cls) }));
  for (const name of graph.outputs) {
    const { dims, data, type } = values[name];
    const [batch, ...rest] = dims;
    const one = type === 'float32' && (data as Float32Array).subarray(0, data.length / batch);
    if (one && isKnownOutput(rest, one, maps)) continue;
    throw new UserError({
      where: graph.where,
      field: `output ${name}`,
      expected:
        'boxes (raw, or decoded to centre and size in pixels), objectness and classes (before or after the sigmoid)',
      received: `other values of ${type} [${dims}]`,
      hint: 'Export the network without non-maximum suppression and other steps after it.',
    });
  }
}

/** Waves and noise in the range of images, preprocessed for the network: [batch,3,height,width]. */
function drawImage([batch, channels, height, width]: number[], { scale, mean, std }: Preprocess): Float32Array {
  const random = new Random(1, 'verify import');
  const image = new Float32Array(batch * channels * height * width);
  let next = 0;
  for (let plane = 0; plane < batch * channels; plane++) {
    const [across, down] = [random.uniform(4, 60), random.uniform(4, 60)];
    const channel = plane % channels;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const grey = Math.round(128 + 60 * Math.sin(x / across) + 40 * Math.sin(y / down) + random.uniform(-27, 27));
        image[next++] = (grey * scale - mean[channel]) / std[channel];
      }
    }
  }
  return image;
}
