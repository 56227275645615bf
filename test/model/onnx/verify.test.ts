import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { preprocessSchema } from '../../../src/config/preprocess.js';
import { readOnnxNetwork } from '../../../src/model/onnx/read.js';
import { DATA_TYPE, encodeModel, type OnnxModel } from '../../../src/model/onnx/schema.js';
import { type ImportCheck, verifyImport } from '../../../src/model/onnx/verify.js';
import { tensorOf as tensorIn, type Weights } from '../../../src/model/weights/weights.js';
import {
  addTensor,
  DARK2,
  float,
  insertBefore,
  integer,
  integers,
  nodeOf,
  replaceSilu,
  tensorOf,
  valuesOf,
} from './edit_graph.js';
import { changed } from './pico.js';

const test = suite('an import compared with its file');

const LEGACY = preprocessSchema.parse({ size: [64, 96], scale: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2] });

/** Reads a changed model, changes what was read, and compares both. */
function verify(change?: (model: OnnxModel) => void, alter: (weights: Weights) => void = () => undefined) {
  const model = changed(change);
  const network = readOnnxNetwork(model, 'model');
  alter(network.weights);
  return verifyImport(encodeModel(model), model, network, LEGACY);
}

async function refusal(...args: Parameters<typeof verify>): Promise<string> {
  const error = await verify(...args).then(
    () => assert.unreachable('it was taken'),
    (thrown: unknown) => thrown,
  );
  assert.instance(error, UserError);
  return (error as UserError).message;
}

const isExact = ({ difference, magnitude }: ImportCheck) => difference < 1e-5 * magnitude && magnitude > 0.1;

test('a network that was read computes what its file does', async () => {
  const check = await verify();
  assert.equal(check.size, [64, 96]);
  assert.ok(isExact(check), JSON.stringify(check));
});

/** Weights as 16-bit floats, in `int32_data`, alone or with the casts a converter adds. */
function halve(model: OnnxModel, casts: boolean): void {
  const { graph } = model;
  const float16 = new Map<string, string>();
  const bits = (value: number) => {
    const [single] = new Uint32Array(Float32Array.of(value).buffer);
    const exponent = ((single >> 23) & 0xff) - 112;
    return exponent <= 0 ? 0 : ((single >> 16) & 0x8000) | (exponent << 10) | ((single >> 13) & 0x3ff);
  };
  for (const tensor of graph.initializer.filter(
    ({ dims, dataType }) => dims.length === 4 && dataType === DATA_TYPE.float,
  )) {
    const int32Data = Array.from(valuesOf(tensor), bits);
    Object.assign(tensor, { dataType: DATA_TYPE.float16, rawData: undefined, int32Data });
    float16.set(tensor.name, `${tensor.name}.float`);
  }
  if (!casts) return;
  const attribute = [integer('to', DATA_TYPE.float)];
  for (const node of graph.node) node.input = node.input.map((name) => float16.get(name) ?? name);
  graph.node.unshift(
    ...[...float16].map(([name, output]) => ({
      name: output,
      opType: 'Cast',
      input: [name],
      output: [output],
      attribute,
    })),
  );
}

for (const casts of [false, true]) {
  test(`weights of 16 bits ${casts ? 'that are cast' : 'among values of 32'} are compared in 32`, async () => {
    const check = await verify((model) => halve(model, casts));
    assert.ok(isExact(check), JSON.stringify(check));
  });
}

test('a model of open batch and size, one of a fixed batch, and one that takes bytes are compared', async () => {
  const shape =
    (dims: (number | string)[], elemType: number = DATA_TYPE.float) =>
    (model: OnnxModel) => {
      const dim = dims.map((side) => (typeof side === 'string' ? { dimParam: side } : { dimValue: side }));
      model.graph.input[0].type = { tensorType: { elemType, shape: { dim } } };
    };
  assert.equal((await verify(shape(['n', 3, 'h', 'w']))).size, LEGACY.size);
  assert.ok(isExact(await verify(shape([2, 3, 64, 96]))));
  const takesBytes = await verify((model) => {
    shape([1, 3, 64, 96], DATA_TYPE.uint8)(model);
    insertBefore(model, 'backbone.backbone.stem.conv.conv', 0, 'Cast', { attribute: [integer('to', DATA_TYPE.float)] });
  });
  assert.ok(isExact(takesBytes));
});

/** Ends the graph in other outputs, made by `nodes` of the raw maps of the three levels. */
const endIn =
  (outputs: string[], opTypes: [opType: string, rest: object][] = []) =>
  (model: OnnxModel) => {
    for (const [opType, rest] of opTypes)
      model.graph.node.push({ opType, name: '', input: [], output: [], attribute: [], ...rest });
    model.graph.output = outputs.map((name) => ({ name }));
  };
const MAPS = [0, 1, 2].flatMap((level) => ['reg', 'obj', 'cls'].map((part) => `head.${part}_preds.${level}`));
const concatLevels: [string, object][] = [0, 1, 2].map((level) => [
  'Concat',
  { input: MAPS.slice(3 * level, 3 * level + 3), output: [`level${level}`], attribute: [integer('axis', 1)] },
]);

test('outputs may be raw maps, one a level, or all anchors as rows or columns', async () => {
  const flat: [string, object][] = [0, 1, 2].map((level) => [
    'Flatten',
    { input: [`level${level}`], output: [`f${level}`], attribute: [integer('axis', 2)] },
  ]);
  assert.ok(isExact(await verify(endIn(MAPS))));
  assert.ok(isExact(await verify(endIn(['level0', 'level1', 'level2'], concatLevels))));
  assert.ok(
    isExact(
      await verify((model) => {
        addTensor(model, { name: 'shape', dims: [3], dataType: DATA_TYPE.int64, int64Data: [0, 8, -1] });
        const reshaped: typeof flat = [0, 1, 2].map((level) => [
          'Reshape',
          { input: [`level${level}`, 'shape'], output: [`f${level}`] },
        ]);
        const joined: typeof flat = [
          ['Concat', { input: ['f0', 'f1', 'f2'], output: ['columns'], attribute: [integer('axis', 2)] }],
        ];
        endIn(['columns'], [...concatLevels, ...reshaped, ...joined])(model);
      }),
    ),
  );
});

const REFUSED: [
  what: string,
  change: ((model: OnnxModel) => void) | undefined,
  message: RegExp,
  alter?: (weights: Weights) => void,
][] = [
  [
    'weights that are others than the file’s',
    undefined,
    /value head\.\w+_preds\.\d: .*a difference of .*cannot be imported/,
    (weights) => {
      const name = `${DARK2}.conv.weight`;
      const { shape, data } = tensorIn(weights, name);
      weights.set(name, { shape, data: data.map((value) => value * 1.2) });
    },
  ],
  [
    'weights of no numbers',
    undefined,
    /value head\.cls_preds\.0: .*NaN/,
    (weights) => {
      const name = 'head.cls_preds.0.bias';
      const { shape, data } = tensorIn(weights, name);
      weights.set(name, { shape, data: data.fill(Number.NaN) });
    },
  ],
  [
    'scores by softmax',
    (model) => {
      for (const level of [0, 1, 2])
        Object.assign(nodeOf(model, `level${level}.cls.probabilities`), {
          opType: 'Softmax',
          attribute: [integer('axis', 1)],
        });
    },
    /output output: expected boxes .*received "other values of float32 \[1,126,8\]"\. Export the network without/,
  ],
  [
    'scores by another sigmoid',
    (model) => {
      nodeOf(model, 'level1.obj.probabilities').opType = 'HardSigmoid';
    },
    /output output/,
  ],
  [
    'boxes of other strides',
    (model) => {
      const stride = tensorOf(model, 'stride');
      Object.assign(stride, {
        rawData: undefined,
        floatData: Array.from(valuesOf(stride), (value) => value * 2),
      });
    },
    /output output/,
  ],
  [
    'centres of cells',
    (model) => {
      const grid = tensorOf(model, 'grid');
      Object.assign(grid, {
        rawData: undefined,
        floatData: Array.from(valuesOf(grid), (value) => value + 0.5),
      });
    },
    /output output/,
  ],
  [
    'the best boxes alone',
    endIn(['best'], [['ReduceMax', { input: ['output'], output: ['best'], attribute: [integers('axes', [1])] }]]),
    /output best: expected boxes/,
  ],
  [
    'levels in another order',
    endIn(
      ['columns'],
      [
        ...concatLevels,
        ...[0, 1, 2].map((level): [string, object] => [
          'Flatten',
          { input: [`level${level}`], output: [`f${level}`], attribute: [integer('axis', 2)] },
        ]),
        ['Concat', { input: ['f2', 'f1', 'f0'], output: ['columns'], attribute: [integer('axis', 1)] }],
      ],
    ),
    /output columns/,
  ],
  [
    'an operator that onnxruntime lacks',
    (model) => replaceSilu(model, 'Swish', { attribute: [float('alpha', 1)] }),
    /a model that onnxruntime runs.*Swish.*Export it again with an older opset/,
  ],
  [
    'an opset that onnxruntime does not know yet',
    (model) => {
      model.opsetImport[0].version = 99;
    },
    /onnxruntime runs.*opset.*99.*Export it again/i,
  ],
  [
    'a size it does not work at',
    (model) => {
      model.graph.input[0].type = {
        tensorType: { elemType: DATA_TYPE.float, shape: { dim: [1, 3, 64, 64].map((dimValue) => ({ dimValue })) } },
      };
    },
    /onnxruntime runs.*--size/,
  ],
];

for (const [what, change, message, alter] of REFUSED) {
  test(`${what}: refused`, async () => assert.match(await refusal(change, alter), message));
}

test.run();
