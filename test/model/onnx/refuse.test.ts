import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { readOnnxNetwork } from '../../../src/model/onnx/read.js';
import type { OnnxModel } from '../../../src/model/onnx/schema.js';
import {
  addBatchNorm,
  addTensor,
  DARK2,
  float,
  floats,
  insertBefore,
  integer,
  integers,
  MEGVII,
  nodeOf,
  replaceSilu,
  SPP,
  STEM,
  setAttribute,
  slices,
  tensorOf,
  text,
  unmerge,
} from './edit_graph.js';
import { changed } from './pico.js';

const test = suite('ONNX graphs that are something else');

const REFUSED: [what: string, change: (model: OnnxModel) => void, message: RegExp][] = [
  ...['Relu', 'LeakyRelu', 'HardSwish', 'Clip', 'Mish', 'Gelu', 'Tanh', 'PRelu', 'Elu'].map(
    (name): (typeof REFUSED)[number] => [
      `${name} for SiLU`,
      (model) => replaceSilu(model, name),
      new RegExp(`expected SiLU after head\\.\\S+ .*, received "${name} .*computed here with SiLU`),
    ],
  ),
  [
    'another activation in one place',
    (model) => replaceSilu(model, 'Relu', {}, `${DARK2}.silu`),
    /SiLU after backbone\.backbone\.dark2\.0 .* received "Relu/,
  ],
  [
    'a hard sigmoid',
    (model) => {
      nodeOf(model, `${DARK2}.sigmoid`).opType = 'HardSigmoid';
    },
    /received "Mul .*HardSigmoid/,
  ],
  [
    'a gate from elsewhere',
    (model) => {
      nodeOf(model, `${DARK2}.sigmoid`).input = ['images'];
    },
    /SiLU after backbone\.backbone\.dark2\.0/,
  ],
  [
    'QuickGelu of another α',
    (model) => replaceSilu(model, 'QuickGelu', { domain: 'com.microsoft' }),
    /received "com\.microsoft\.QuickGelu/,
  ],
  [
    'Swish of another α',
    (model) => replaceSilu(model, 'Swish', { attribute: [float('alpha', 1.5)] }),
    /received "Swish/,
  ],
  ["somebody's own operator", (model) => replaceSilu(model, 'Mul', { domain: 'mine' }), /received "mine\.Mul/],
  [
    'no activation',
    (model) => {
      nodeOf(model, `${DARK2}.silu`).opType = 'Identity';
    },
    /SiLU after backbone\.backbone\.dark2\.0 .*, received "Conv/,
  ],
  [
    'an activation too many',
    (model) => insertBefore(model, `${DARK2}.conv`, 0, 'Relu'),
    /SiLU after backbone\.backbone\.stem\.conv.*received "Relu/,
  ],
  [
    'a scaled input',
    (model) => {
      addTensor(model, floats('scale', [], [1 / 255]));
      insertBefore(model, `${STEM}.conv`, 0, 'Mul', { input: ['scale'] });
    },
    /the input images as it is, received "Mul .*prepares its input itself/,
  ],
  ['an input of other order', (model) => insertBefore(model, `${STEM}.conv`, 0, 'Transpose'), /received "Transpose/],
  [
    'other padding',
    (model) => setAttribute(model, `${DARK2}.conv`, integers('pads', [0, 0, 1, 1])),
    /Conv of backbone\.backbone\.dark2\.0 with pads \[1,1,1,1\], received "Conv .*pads \[0,0,1,1\]/,
  ],
  [
    'padding below alone',
    (model) => {
      setAttribute(model, `${DARK2}.conv`, text('auto_pad', 'SAME_UPPER'));
    },
    /pads \[0,0,1,1\]/,
  ],
  [
    'another stride',
    (model) => setAttribute(model, `${DARK2}.conv`, integers('strides', [1, 1])),
    /strides \[2,2\], received .*strides \[1,1\]/,
  ],
  ['dilation', (model) => setAttribute(model, `${DARK2}.conv`, integers('dilations', [2, 2])), /dilations \[1,1\]/],
  ['a larger stem', (model) => setAttribute(model, `${STEM}.conv`, integers('pads', [3, 3, 2, 2])), /pads \[2,2,2,2\]/],
  [
    'other pooling windows',
    (model) => {
      const pool = model.graph.node.find(({ opType }) => opType === 'MaxPool');
      Object.assign(pool ?? {}, {
        attribute: [integers('kernel_shape', [3, 3]), integers('pads', [1, 1, 1, 1])],
      });
    },
    /MaxPool over 5×5, stride 1, same size, received "MaxPool .* over 3×3/,
  ],
  [
    'averages for maxima',
    (model) => {
      for (const node of model.graph.node) if (node.opType === 'MaxPool') node.opType = 'AveragePool';
    },
    /MaxPool over 5×5.*AveragePool/,
  ],
  [
    'linear upsampling',
    (model) => {
      for (const node of model.graph.node.filter(({ opType }) => opType === 'Resize'))
        node.attribute = [text('mode', 'linear')];
    },
    /to the nearest \(Resize\), received "Resize of mode linear/,
  ],
  [
    'upsampling that looks elsewhere',
    (model) => {
      for (const { opType, attribute } of model.graph.node)
        if (opType === 'Resize') attribute.splice(2, 1, text('nearest_mode', 'ceil'));
    },
    /coordinates asymmetric, rounding ceil/,
  ],
  [
    'concatenations the other way round',
    (model) => nodeOf(model, `${DARK2.slice(0, -1)}1.conv3.conv`).input.reverse(),
    /graph/,
  ],
  [
    'main and short path exchanged',
    (model) => {
      const [concat] = nodeOf(model, 'backbone.backbone.dark2.1.conv3.conv').input;
      nodeOf(model, concat).input.reverse();
    },
    /graph: expected/,
  ],
  [
    'poolings in another order',
    (model) => {
      const [concat] = nodeOf(model, `${SPP}.conv2.conv`).input;
      nodeOf(model, concat).input.reverse();
    },
    /MaxPool over 5×5/,
  ],
  [
    'a shortcut left out',
    (model) => {
      const add = model.graph.node.find(({ opType }) => opType === 'Add');
      Object.assign(add ?? {}, { opType: 'Identity', input: add?.input.slice(0, 1) });
    },
    /Add of a shortcut/,
  ],
  [
    'a shortcut from elsewhere',
    (model) => {
      const add = model.graph.node.find(({ opType }) => opType === 'Add');
      if (add) add.input[1] = add.input[0];
    },
    /graph: expected/,
  ],
  [
    'half of a focus',
    (model) =>
      unmerge(model, [0, 1, 2, 3], () =>
        slices(
          model,
          [
            [0, 0],
            [1, 0],
            [0, 1],
            [0, 1],
          ],
          true,
        ),
      ),
    /the focus: every second pixel/,
  ],
  [
    'a focus that leaves the end out',
    (model) => unmerge(model, [0, 1, 2, 3], () => slices(model, MEGVII, true, 62)),
    /the focus: every second pixel/,
  ],
  [
    'predictions of other layers',
    (model) => {
      const [a, b] = ['head.cls_preds.0', 'head.reg_preds.0'].map((name) => nodeOf(model, name));
      [a.input[0], b.input[0]] = [b.input[0], a.input[0]];
    },
    /one branch, classes from another/,
  ],
  [
    'another head',
    (model) => {
      model.graph.output.splice(0, 1, { name: 'head.obj_preds.0' });
    },
    /nine convolutions before the outputs.*received "1: Conv head\.obj_preds\.0"/,
  ],
  [
    'two inputs',
    ({ graph }) => graph.input.push({ name: 'scale_factor' }),
    /inputs: expected one, the image, received "images, scale_factor"/,
  ],
  [
    'quantised weights',
    (model) => insertBefore(model, `${DARK2}.conv`, 1, 'DequantizeLinear'),
    /DequantizeLinear.*Quantised models cannot be read/,
  ],
  [
    'quantised activations',
    (model) => insertBefore(model, `${DARK2}.conv`, 0, 'DequantizeLinear'),
    /Quantised models cannot be read/,
  ],
  [
    'fused operators',
    (model) => {
      Object.assign(nodeOf(model, `${DARK2}.conv`), { opType: 'FusedConv', domain: 'com.microsoft' });
    },
    /optimised for onnxruntime/,
  ],
  [
    'batch norms in training',
    (model) => {
      addBatchNorm(model, DARK2, 1e-3);
      setAttribute(model, `${DARK2}.bn`, integer('training_mode', 1));
    },
    /evaluation mode/,
  ],
  [
    'weights of another width',
    (model) => {
      Object.assign(tensorOf(model, `${DARK2}.conv.weight`), { dims: [16, 8, 3, 3].reverse() });
    },
    /Conv of backbone\.backbone\.dark2\.0 with weights \[16,8,3,3\], received "Conv .* with \[3,3,8,16\]/,
  ],
  [
    'a tensor named twice',
    ({ graph }) => graph.initializer.push(graph.initializer[3]),
    /values of different names, received "backbone\.backbone\.dark2\.0\.conv\.bias twice/,
  ],
  [
    'too many layers',
    (model) => {
      const [conv, sigmoid, mul] = ['conv', 'sigmoid', 'silu'].map((part) => ({
        ...nodeOf(model, `${DARK2}.${part}`),
      }));
      const again = [conv, sigmoid, mul].map((node) => ({
        ...node,
        name: `${node.name}2`,
        output: [`${node.output[0]}2`],
      }));
      again[0].input = ['backbone.backbone.stem.conv.silu', ...conv.input.slice(1)];
      again[1].input = again[0].output;
      again[2].input = [again[0].output[0], again[1].output[0]];
      nodeOf(model, `${DARK2}.conv`).input[0] = again[2].output[0];
      model.graph.node.push(...again);
    },
    /Conv of backbone\.backbone\.stem\.conv with weights \[8,12,3,3\], received .*\[16,8,3,3\]/,
  ],
];

for (const [what, change, message] of REFUSED) {
  test(`a model with ${what} is refused`, () => {
    assert.throws(
      () => readOnnxNetwork(changed(change), 'model'),
      (error: unknown) => {
        assert.instance(error, UserError);
        assert.match((error as UserError).message, message);
        return true;
      },
    );
  });
}

test.run();
