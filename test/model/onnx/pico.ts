import { preprocessSchema } from '../../../src/config/preprocess.js';
import { exportOnnx } from '../../../src/model/onnx/export.js';
import { decodeModel, type OnnxModel } from '../../../src/model/onnx/schema.js';
import { initialWeights } from '../../../src/model/weights/init.js';
import type { Weights } from '../../../src/model/weights/weights.js';

export const PICO = { depth: 0.33, width: 0.125, depthwise: false, classes: 3 };

const preprocess = preprocessSchema.parse({ size: [64, 96] });
const made = new Map<string, { weights: Weights; bytes: Uint8Array }>();

/** A network with statistics and affine terms as after training, and its ONNX file of input 64×96; made once. */
export function pico(architecture = PICO): { weights: Weights; bytes: Uint8Array } {
  const key = JSON.stringify(architecture);
  const known = made.get(key);
  if (known) return known;
  const weights: Weights = new Map(
    [...initialWeights(architecture, 5)].map(([name, { shape, data }]) => {
      // SiLU after convolutions as they start loses the signal layer by layer; this gain keeps it.
      const gain = name.endsWith('.bn.weight') ? 2.75 : 1;
      const learnt = data.map((value, i) => gain * value + ((i * 37) % 11) / 40);
      return [name, { shape, data: name.includes('.bn.') ? learnt : data }];
    }),
  );
  const fresh = { weights, bytes: exportOnnx(weights, architecture, preprocess) };
  made.set(key, fresh);
  return fresh;
}

/** The model of that file, changed. */
export function changed(change: (model: OnnxModel) => void = () => undefined, architecture = PICO): OnnxModel {
  const model = decodeModel(pico(architecture).bytes, 'model');
  change(model);
  return model;
}

/** Gives constants other names. */
export function rename(model: OnnxModel, to: (name: string, index: number) => string): void {
  const names = new Map(model.graph.initializer.map(({ name }, i) => [name, to(name, i)]));
  for (const tensor of model.graph.initializer) tensor.name = names.get(tensor.name) ?? tensor.name;
  for (const node of model.graph.node) node.input = node.input.map((name) => names.get(name) ?? name);
}
