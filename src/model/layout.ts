import { type Tensor, tf } from '../kernels/tf.js';
import type { Parameter } from './parameters.js';
import type { Weights, WeightTensor } from './weights/weights.js';

/** [out,in,h,w] → [h,w,in,out]; a depthwise [channels,1,h,w] → [h,w,channels,1]. */
const TO_TF = { plain: [2, 3, 1, 0], depthwise: [2, 3, 0, 1] };
const TO_TORCH = { plain: [3, 2, 0, 1], depthwise: [2, 3, 0, 1] };

/** Converts weights to tensors in TensorFlow's layout, by name; the caller owns them. */
export function toTensors(weights: Weights, list: readonly Parameter[]): Map<string, Tensor> {
  return new Map(
    list.map((parameter) => [parameter.name, toTensor(weights.get(parameter.name) as WeightTensor, parameter)]),
  );
}

/** Converts a single weight. */
export function toTensor({ data, shape }: WeightTensor, parameter: Parameter): Tensor {
  if (shape.length !== 4) return tf.tensor(data, shape);
  return tf.tidy(() => tf.tensor(data, shape).transpose(TO_TF[layoutOf(parameter)]));
}

/** Reads a tensor in TensorFlow's layout back into PyTorch's. */
export function toTorch(tensor: Tensor, parameter: Parameter): WeightTensor {
  if (tensor.rank !== 4) return { shape: parameter.shape, data: tensor.dataSync() as Float32Array };
  const turned = tf.transpose(tensor, TO_TORCH[layoutOf(parameter)]);
  const data = turned.dataSync() as Float32Array;
  turned.dispose();
  return { shape: parameter.shape, data };
}

/** Shape of a parameter in TensorFlow's layout. */
export function tfShape(parameter: Parameter): number[] {
  const { shape } = parameter;
  return shape.length === 4 ? TO_TF[layoutOf(parameter)].map((axis) => shape[axis]) : shape;
}

/** Only depthwise convolutions have one input channel per group and several outputs: YOLOX has no 1-channel layer. */
function layoutOf({ shape }: Parameter): 'plain' | 'depthwise' {
  return shape[1] === 1 ? 'depthwise' : 'plain';
}
