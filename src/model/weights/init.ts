import { Random } from '../../base/random.js';
import type { Architecture } from '../../config/network.js';
import { type Parameter, parameters } from '../parameters.js';
import { elements, type Weights, type WeightTensor } from './weights.js';

/** Prior probability of objectness and of each class in the untrained head (yolo_head.py). */
const PRIOR = 0.01;

/**
 * Initialises a network like Megvii's YOLOX: convolutions by PyTorch's default, U(±1/√fan_in), batch norms as the
 * identity, objectness and class biases at the prior. The same seed gives the same numbers, tensor by tensor.
 */
export function initialWeights(architecture: Architecture, seed: number): Weights {
  const initial = initialTensors(architecture, seed);
  return new Map(parameters(architecture).map(({ name }) => [name, initial(name)]));
}

/** Like `initialWeights`, but yields one tensor at a time, by name. */
export function initialTensors(architecture: Architecture, seed: number): (name: string) => WeightTensor {
  const known = new Map(parameters(architecture).map((parameter) => [parameter.name, parameter]));
  return (name) => {
    const { kind, shape } = known.get(name) as Parameter;
    // A bias has the same bound as its convolution's weight.
    const weight = known.get(name.replace(/bias$/, 'weight')) as Parameter;
    const fanIn = elements(weight.shape.slice(1));
    const values = new Float32Array(elements(shape));
    if (kind === 'bn.weight' || kind === 'bn.running_var') values.fill(1);
    else if (/^head\.(cls|obj)_preds\.\d\.bias$/.test(name)) values.fill(-Math.log((1 - PRIOR) / PRIOR));
    else if (kind === 'weight' || kind === 'bias')
      fillUniform(values, 1 / Math.sqrt(fanIn), new Random(seed, 'weights', name));
    return { shape, data: values };
  };
}

function fillUniform(values: Float32Array, bound: number, random: Random): void {
  for (let i = 0; i < values.length; i++) values[i] = random.uniform(-bound, bound);
}
