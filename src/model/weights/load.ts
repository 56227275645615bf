import { UserError } from '../../base/errors.js';
import { readBytes, sha256 } from '../../base/files.js';
import { log } from '../../base/progress.js';
import { LEGACY_PREPROCESS, type Preprocess, preprocessSchema } from '../../config/preprocess.js';
import { loadOnnx } from '../onnx/load.js';
import type { ImportCheck } from '../onnx/verify.js';
import { guessArchitecture } from './architecture.js';
import { type CheckpointInfo, parseCheckpointMetadata } from './checkpoint.js';
import { isFolded } from './fold.js';
import { guessLegacy } from './legacy.js';
import { assertNumbers } from './numbers.js';
import { recogniseOther } from './other_formats.js';

import { parseSafetensors, type Tensor } from './safetensors.js';
import { readNetwork } from './state_dict.js';
import { isTorchCheckpoint, parseTorchCheckpoint } from './torch_checkpoint.js';
import type { Weights, WeightTensor } from './weights.js';

export interface LoadedWeights {
  /** By Megvii key, whatever names the file uses. */
  weights: Weights;
  /** `megvii` and `mmdet` are torch checkpoints. */
  format: 'safetensors' | 'megvii' | 'mmdet' | 'onnx';
  /** Which part of the file was used, for people. */
  notices: string[];
  /** Batch norms have no statistics: train with `batchNorm: fixed`, or estimate them again. */
  folded: boolean;
  /** Whether they need the preprocessing from before YOLOX 0.1.1; null if neither file nor weights show it. */
  legacy: boolean | null;
  /** From the file, else the usual one for such weights. */
  preprocess: Preprocess;
  /** Information in a file of ours. */
  info?: CheckpointInfo;
  /** Difference between the network and the ONNX file it was read from, in onnxruntime. */
  check?: ImportCheck;
  path: string;
  sha256: string;
}

/**
 * Reads weights in any format, identified by content: our safetensors, torch checkpoints of Megvii or mmdetection,
 * ONNX. An ONNX file without a fixed input size is compared with the network at `size` (height, width), if given.
 */
export async function loadWeights(path: string, size?: readonly [number, number]): Promise<LoadedWeights> {
  const file = await readBytes(path);
  const { weights, format, notices = [], metadata = {}, fixedSize, verify } = await parseAny(file, path);
  for (const notice of notices) log(`${path}: ${notice}`);
  assertNumbers(weights, path);
  const info = parseCheckpointMetadata(metadata, path);
  const legacy = info ? info.preprocess.color === LEGACY_PREPROCESS.color : guessLegacy(weights);
  const preprocess = info?.preprocess ?? usualPreprocess(weights, legacy ?? false, path, fixedSize);
  return {
    weights,
    format,
    notices,
    folded: isFolded(weights),
    legacy,
    preprocess,
    info,
    check: await verify?.(size ? { ...preprocess, size: [...size] } : preprocess),
    path,
    sha256: sha256(file),
  };
}

/** Preprocessing of published weights: 416² for nano and tiny, else 640² (Megvii exps/default). */
function usualPreprocess(weights: Weights, legacy: boolean, where: string, size?: [number, number]): Preprocess {
  const side = (guessArchitecture(weights)?.width ?? 1) < 0.5 ? 416 : 640;
  const result = preprocessSchema.safeParse({ ...(legacy && LEGACY_PREPROCESS), size: size ?? [side, side] });
  if (result.success) return result.data;
  const expected = 'an input whose height and width are multiples of 32';
  throw new UserError({ where, field: 'input', expected, received: size, hint: 'Export the model at such a size.' });
}

interface Found extends Pick<LoadedWeights, 'weights' | 'format'> {
  notices?: string[];
  metadata?: Record<string, string>;
  /** Input height and width, if fixed in the file. */
  fixedSize?: [number, number];
  /** Compares the weights with the file they were read from. */
  verify?: (preprocess: Preprocess) => Promise<ImportCheck>;
}

async function parseAny(file: Buffer, where: string): Promise<Found> {
  if (isTorchCheckpoint(file)) {
    const { mmdet, ...network } = await readNetwork(await parseTorchCheckpoint(file, where), where);
    return { ...network, format: mmdet ? 'mmdet' : 'megvii' };
  }
  // Safetensors starts with the length of its header in eight bytes, the upper four of them zero, and the header's JSON.
  if (file.length > 8 && file.readUInt32LE(4) === 0 && file[8] === '{'.charCodeAt(0)) {
    const { tensors, metadata } = parseSafetensors(file, where);
    const stored = [...tensors].map(
      ([name, tensor]) => [name, { dtype: tensor.dtype, read: () => floatsOf(tensor) }] as const,
    );
    const network = await readNetwork([{ path: '', tensors: new Map(stored) }], where);
    return { ...network, format: 'safetensors', metadata };
  }
  // The first field of an ONNX file is ir_version.
  if (file[0] === 0x08) {
    const { size: fixedSize, ...network } = await loadOnnx(file, where);
    return { ...network, fixedSize, format: 'onnx' };
  }
  const { what, hint } = recogniseOther(file);
  throw new UserError({
    where,
    expected: 'weights as safetensors, torch checkpoint or ONNX',
    reason: `it is ${what}`,
    hint,
  });
}

const floatsOf = ({ shape, data }: Tensor): WeightTensor => ({
  shape,
  data: data instanceof Float32Array ? data : Float32Array.from(data as Float64Array),
});
