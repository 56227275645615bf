import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { guessLegacy } from '../../../src/model/weights/legacy.js';
import type { Weights } from '../../../src/model/weights/weights.js';

const test = suite('legacy preprocessing');
const STEM = 'backbone.backbone.stem.conv';
const FILTERS = 4;
const LENGTH = 12 * 3 * 3;

/** A stem whose largest filter has this norm once its batch norm is folded in; `gain` moves it into the batch norm. */
function stemOf(norm: number, gain: number): Weights {
  const vector = (value: number) => ({ shape: [FILTERS], data: new Float32Array(FILTERS).fill(value) });
  const data = new Float32Array(FILTERS * LENGTH);
  for (let i = 0; i < FILTERS; i++) {
    // The last filter is the largest.
    const own = (norm / gain) * ((i + 1) / FILTERS);
    data.fill(own / Math.sqrt(LENGTH), i * LENGTH, (i + 1) * LENGTH);
  }
  return new Map([
    [`${STEM}.conv.weight`, { shape: [FILTERS, 12, 3, 3], data }],
    [`${STEM}.bn.weight`, vector(gain)],
    [`${STEM}.bn.bias`, vector(0)],
    [`${STEM}.bn.running_mean`, vector(0)],
    // With the epsilon of batch norm a variance of one.
    [`${STEM}.bn.running_var`, vector(1 - 1e-3)],
  ]);
}

const gain = fc.double({ min: 0.1, max: 10, noNaN: true });
const between = (min: number, max: number) => fc.double({ min, max, noNaN: true });

test('large filters want normalised inputs, small ones grey levels, whatever the batch norm holds', () => {
  fc.assert(fc.property(between(2.1, 50), gain, (norm, by) => assert.is(guessLegacy(stemOf(norm, by)), true)));
  fc.assert(fc.property(between(0.01, 0.48), gain, (norm, by) => assert.is(guessLegacy(stemOf(norm, by)), false)));
});

test('filters in between, and weights without a whole stem, do not tell', () => {
  fc.assert(fc.property(between(0.52, 1.98), gain, (norm, by) => assert.is(guessLegacy(stemOf(norm, by)), null)));
  for (const name of stemOf(1, 1).keys()) {
    const weights = stemOf(15, 1);
    weights.delete(name);
    assert.is(guessLegacy(weights), null, name);
  }
});

test.run();
