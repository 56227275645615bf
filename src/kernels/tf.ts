import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import type * as Tfjs from '@tensorflow/tfjs-node-gpu';
import { messageOf, UserError } from '../base/errors.js';

export type Tensor = Tfjs.Tensor;
export type Tensor2D = Tfjs.Tensor2D;
export type Tensor4D = Tfjs.Tensor4D;

/** Set before TensorFlow loads; what the user has set stays. */
const ENVIRONMENT = {
  // Errors only: its start-up chatter would bury ours.
  TF_CPP_MIN_LOG_LEVEL: '3',
  TF_ENABLE_ONEDNN_OPTS: '1',
  // Otherwise TensorFlow takes the whole card.
  TF_FORCE_GPU_ALLOW_GROWTH: 'true',
};

const LIBRARY = 'libtensorflow_cc.so.2';

/** Functions that tfjs-node wants and later Nodes lack. */
const LEGACY_UTIL = resolve(import.meta.dirname, '../../scripts/setup/legacy_util.cjs');

/** tfjs over the native TensorFlow that set-up built; importing this module loads it (about a second). */
export const tf: typeof Tfjs = loadTensorFlow();

function loadTensorFlow(): typeof Tfjs {
  for (const [name, value] of Object.entries(ENVIRONMENT)) process.env[name] ??= value;
  const require = createRequire(import.meta.url);
  const library = resolve(dirname(require.resolve('@tensorflow/tfjs-node-gpu/package.json')), 'deps/lib', LIBRARY);
  // The binding would end the process where the library it is bound to at first use is gone.
  if (!existsSync(library)) throw absent('no TensorFlow library');
  require(LEGACY_UTIL);
  try {
    return require('@tensorflow/tfjs-node-gpu');
  } catch (error) {
    throw absent(messageOf(error).split('\n')[0], error);
  }
}

function absent(received: string, cause?: unknown): UserError {
  return new UserError(
    {
      where: '@tensorflow/tfjs-node-gpu',
      expected: 'the TensorFlow that set-up provides',
      received,
      hint: 'Run `npx yolox-node setup` (`npm run setup` in a clone), then `npx yolox-node doctor`.',
    },
    { cause },
  );
}

type AttributeValue =
  | { type: 'INT' | 'FLOAT'; value: number | number[] }
  | { type: 'BOOL'; value: boolean }
  | { type: 'STRING'; value: string }
  | { type: 'TYPE'; value: number }
  | { type: 'SHAPE'; value: number[] };

export const int = (value: number | number[]): AttributeValue => ({ type: 'INT', value });
export const float = (value: number): AttributeValue => ({ type: 'FLOAT', value });
export const bool = (value: boolean): AttributeValue => ({ type: 'BOOL', value });
export const string = (value: string): AttributeValue => ({ type: 'STRING', value });

/** The parts of tfjs-node's backend we call: TensorFlow's eager C API, one op at a time. */
interface NativeBackend {
  binding: Record<string, number>;
  isUsingGpuDevice: boolean;
  executeMultipleOutputs(name: string, attributes: object[], inputs: Tensor[], outputs: number): Tensor[];
}

const backend = tf.backend() as unknown as NativeBackend;

/** Whether TensorFlow computes on a GPU. */
export const onGpu: boolean = backend.isUsingGpuDevice;

/** Attribute of type `type` holding float32, which most ops call `T`. */
export const FLOAT32: AttributeValue = { type: 'TYPE', value: backend.binding.TF_FLOAT };
const INT32: AttributeValue = { type: 'TYPE', value: backend.binding.TF_INT32 };

/**
 * Runs one TensorFlow op by its registered name, without a place on tfjs' gradient tape.
 * The caller owns the outputs.
 */
export function rawOp(
  name: string,
  inputs: Tensor[],
  attributes: Record<string, AttributeValue>,
  outputs = 1,
): Tensor[] {
  const list = Object.entries(attributes).map(([key, { type, value }]) => ({
    name: key,
    type: backend.binding[`TF_ATTR_${type}`],
    value,
  }));
  return backend.executeMultipleOutputs(name, list, inputs, outputs);
}

/**
 * Sends a new float32 tensor to the device: tfjs does so at its first use, and on a GPU an upload waits until all that is
 * queued has run.
 */
export function upload<T extends Tensor>(x: T): T {
  tf.dispose(rawOp('Identity', [x], { T: FLOAT32 }));
  return x;
}

const shapes = new Map<string, Tensor>();

/**
 * tfjs' reshape without its overhead, which counts where a training step reshapes a thousand small tensors: the shape
 * is made into a tensor once. The caller owns the result.
 */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  const key = shape.join();
  let target = shapes.get(key);
  if (!target) {
    target = tf.keep(tf.tensor1d([...shape], 'int32'));
    shapes.set(key, target);
  }
  return rawOp('Reshape', [x, target], { T: FLOAT32, Tshape: INT32 })[0];
}
