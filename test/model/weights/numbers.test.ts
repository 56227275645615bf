import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { assertNumbers } from '../../../src/model/weights/numbers.js';
import type { Weights } from '../../../src/model/weights/weights.js';

const test = suite('weights that are no numbers');

const weightsOf = (tensors: Record<string, number[]>): Weights =>
  new Map(
    Object.entries(tensors).map(([name, values]) => [
      name,
      { shape: [values.length], data: Float32Array.from(values) },
    ]),
  );

test('numbers of any size pass, negative ones too', () => {
  assertNumbers(
    weightsOf({ 'a.weight': [-3e38, 0, -0, 1e-45], 'a.bn.running_mean': [-1], 'a.bn.running_var': [0, 1e-9] }),
    'file',
  );
});

const REFUSED: [tensors: Record<string, number[]>, message: RegExp][] = [
  [
    { ok: [1], 'a.weight': [1, Number.NaN, Number.NaN] },
    /^file: tensor a\.weight: expected finite numbers, received "2 NaN of 3 values"\. The training that wrote them diverged/,
  ],
  [
    { a: [Number.NEGATIVE_INFINITY], b: [Number.NaN, 1e39] },
    /tensor a: .*"1 infinite of 1 values; 2 tensors of 2 hold such values"/,
  ],
  [{ b: [Number.NaN, 1e39] }, /"1 NaN and 1 infinite of 2 values"/],
  [{ 'a.bn.running_var': [1, -1e-3] }, /not below 0, received "1 negative of 2 values"/],
];

for (const [tensors, message] of REFUSED) {
  test(`${JSON.stringify(tensors)} are refused`, () => {
    assert.throws(
      () => assertNumbers(weightsOf(tensors), 'file'),
      (error: unknown) => error instanceof UserError && message.test(error.message),
    );
  });
}

test.run();
