import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import type { Architecture } from '../../../src/config/network.js';
import { parameters } from '../../../src/model/parameters.js';
import { describeArchitecture, inferArchitecture } from '../../../src/model/weights/architecture.js';
import { fitWeights } from '../../../src/model/weights/fit.js';
import { initialWeights } from '../../../src/model/weights/init.js';
import { elements, tensorOf, type Weights } from '../../../src/model/weights/weights.js';

const PICO: Architecture = {
  depth: 0.33,
  width: 0.125,
  depthwise: false,
  classes: 3,
};
const HEADS = [0, 1, 2].flatMap((level) => ['weight', 'bias'].map((part) => `head.cls_preds.${level}.${part}`));

/** The tensors' names and shapes, without values. */
const outline = (architecture: Architecture): Weights =>
  new Map(parameters(architecture).map(({ name, shape }) => [name, { shape, data: new Float32Array() }]));

const architectures = suite('architecture of weights');

const NAMED: [string, Architecture][] = [
  ['YOLOX-nano, 80 classes', { depth: 0.33, width: 0.25, depthwise: true, classes: 80 }],
  ['YOLOX-tiny, 80 classes', { depth: 0.33, width: 0.375, depthwise: false, classes: 80 }],
  ['YOLOX-s, 6 classes', { depth: 0.33, width: 0.5, depthwise: false, classes: 6 }],
  ['YOLOX-m, 80 classes', { depth: 0.67, width: 0.75, depthwise: false, classes: 80 }],
  ['YOLOX-l, 80 classes', { depth: 1, width: 1, depthwise: false, classes: 80 }],
  ['YOLOX-x, 1 class', { depth: 1.33, width: 1.25, depthwise: false, classes: 1 }],
  ['YOLOX of depth 0.33, width 0.125, 3 classes', PICO],
];

for (const [name, architecture] of NAMED) {
  architectures(`${name} is recognised`, () => {
    assert.equal(inferArchitecture(outline(architecture)), architecture);
    assert.is(describeArchitecture(architecture), name);
  });
}

architectures('uneven multiples give a network of the same shapes', () => {
  for (const depth of [0.1, 0.2, 0.5, 0.9, 2]) {
    for (const width of [0.11, 0.34, 0.47]) {
      const weights = outline({ depth, width, depthwise: width < 0.4, classes: 4 });
      assert.equal(outline(inferArchitecture(weights)), weights);
    }
  }
});

architectures('weights of another network are refused', () => {
  const resnet: Weights = new Map([['layer1.0.conv1.weight', { shape: [64, 64, 3, 3], data: new Float32Array() }]]);
  assert.throws(
    () => inferArchitecture(resnet, 'resnet.pth'),
    /resnet\.pth: expected the weights of a YOLOX.*layer1\.0/,
  );
});

architectures.run();

const test = suite('fitting weights');

test('weights of the same network are taken over as they are', () => {
  const weights = initialWeights(PICO, 1);
  const fitted = fitWeights(weights, PICO);
  assert.equal(fitted.weights, weights);
  assert.equal(fitted.report, { loaded: weights.size, missing: [], unexpected: [], mismatched: [], reinitialised: [] });
});

test('other classes re-initialise the class heads alone', () => {
  const weights = initialWeights(PICO, 1);
  const wanted = { ...PICO, classes: 5 };
  const { weights: fitted, report } = fitWeights(weights, wanted, { seed: 2 });
  const fresh = initialWeights(wanted, 2);
  assert.equal(report.reinitialised.toSorted(), HEADS.toSorted());
  assert.equal(report.mismatched.map(({ name }) => name).toSorted(), HEADS.toSorted());
  assert.is(report.loaded, weights.size - HEADS.length);
  for (const [name, { data }] of fitted) {
    assert.is(data, (HEADS.includes(name) ? fitted : weights).get(name)?.data);
    if (HEADS.includes(name)) assert.equal(data, fresh.get(name)?.data);
  }
});

test('rows of known classes are carried over', () => {
  const weights = initialWeights(PICO, 1);
  const wanted = { ...PICO, classes: 2 };
  const { weights: fitted, report } = fitWeights(weights, wanted, { classRows: [2, null], seed: 2 });
  const fresh = initialWeights(wanted, 2);
  assert.equal(report.reinitialised.toSorted(), HEADS.toSorted());
  for (const name of HEADS) {
    const [old, initial, now] = [weights, fresh, fitted].map((set) => tensorOf(set, name));
    const row = elements(now.shape.slice(1));
    assert.equal(now.data.slice(0, row), old.data.slice(2 * row));
    assert.equal(now.data.slice(row), initial.data.slice(row));
  }
});

test('the same number of classes in another order is a permutation of the rows', () => {
  const weights = initialWeights(PICO, 1);
  const there = fitWeights(weights, PICO, { classRows: [1, 2, 0] });
  assert.equal(there.report.reinitialised, []);
  assert.not.equal(there.weights, weights);
  assert.equal(fitWeights(there.weights, PICO, { classRows: [2, 0, 1] }).weights, weights);
});

test('a backbone alone is completed, what has no place is listed', () => {
  const backbone = [...initialWeights(PICO, 1)].filter(([name]) => name.startsWith('backbone.backbone.'));
  const weights: Weights = new Map([...backbone, ['fc.weight', { shape: [1], data: Float32Array.of(1) }]]);
  const { weights: fitted, report } = fitWeights(weights, PICO, { seed: 4 });
  assert.is(report.loaded, backbone.length);
  assert.equal(report.unexpected, ['fc.weight']);
  assert.is(report.missing.length, parameters(PICO).length - backbone.length);
  assert.equal(fitted.get('head.stems.0.conv.weight'), initialWeights(PICO, 4).get('head.stems.0.conv.weight'));
});

const OTHERS: [string, Partial<Architecture>, RegExp][] = [
  [
    'width',
    { width: 0.25 },
    /received "YOLOX of depth 0\.33, width 0\.125.*stem\.conv\.conv\.weight has shape \[8,12,3,3\], not \[16/,
  ],
  ['depth', { depth: 0.67 }, /dark2\.1\.m\.1\.conv1\.conv\.weight is absent/],
  ['kind of convolution', { depthwise: true }, /dark2\.0\.dconv\.conv\.weight is absent/],
];

for (const [what, change, message] of OTHERS) {
  test(`weights of another ${what} are refused with the differences`, () => {
    assert.throws(
      () => fitWeights(initialWeights(PICO, 1), { ...PICO, ...change }, { where: 'old.pth' }),
      (error: unknown) =>
        error instanceof UserError && error.message.startsWith('old.pth') && message.test(error.message),
    );
  });
}

test('weights of something else altogether are refused', () => {
  const others: Weights = new Map([['fc.weight', { shape: [1], data: Float32Array.of(1) }]]);
  assert.throws(() => fitWeights(others, PICO), /weights of another network/);
});

test.run();

const init = suite('initial weights');

init('convolutions are uniform within 1/√fan-in, the head assumes few objects', () => {
  const weights = initialWeights(PICO, 1);
  for (const { name, kind, shape } of parameters(PICO)) {
    const { data } = tensorOf(weights, name);
    assert.is(data.length, elements(shape));
    if (kind === 'weight') {
      const bound = 1 / Math.sqrt(elements(shape.slice(1)));
      assert.ok(data.every((value) => Math.abs(value) <= bound));
      const variance = data.reduce((sum, value) => sum + value ** 2, 0) / data.length;
      if (data.length > 2000) assert.ok(Math.abs(variance / (bound ** 2 / 3) - 1) < 0.1, `${name}: ${variance}`);
    } else if (/(cls|obj)_preds/.test(name)) {
      assert.ok(data.every((value) => value === Math.fround(-Math.log(99))));
    } else if (kind === 'bias') {
      assert.ok(data.every((value) => value !== 0 && Math.abs(value) <= 1 / Math.sqrt(32)));
    } else {
      const identity = kind === 'bn.weight' || kind === 'bn.running_var' ? 1 : 0;
      assert.ok(data.every((value) => value === identity));
    }
  }
});

init('a seed fixes them', () => {
  assert.equal(initialWeights(PICO, 7), initialWeights(PICO, 7));
  assert.not.equal(initialWeights(PICO, 7), initialWeights(PICO, 8));
});

init.run();
