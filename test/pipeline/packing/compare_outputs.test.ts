import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compareOutputs } from '../../../src/pipeline/packing/compare_outputs.js';

const test = suite('comparison of the exported model');

/** Anchors of one class: cx, cy, w, h, objectness, probability. */
const output = (...anchors: number[][]) => Float32Array.from(anchors.flat());
const excess = (a: number[], b: number[]) => compareOutputs(output(a), output(b), 1, 0.25).excess;

test('equal outputs differ by nothing', () => {
  const same = output([10, 20, 30, 40, 0.9, 0.8], [1, 2, 3, 4, 0.1, 0.1]);
  assert.equal(compareOutputs(same, same.slice(), 1, 0.25), { boxes: 0, scores: 0, excess: 0 });
});

test('the box of a sure anchor may differ by a thousandth of a pixel, a very large one by its share', () => {
  const sure = (x: number, w = 30) => [x, 20, w, 40, 0.9, 0.9];
  assert.ok(excess(sure(10.0009), sure(10)) < 1);
  assert.ok(excess(sure(10.0011), sure(10)) > 1);
  assert.ok(excess(sure(10, 512.0015), sure(10, 512)) < 1);
  assert.ok(excess(sure(10, 512.003), sure(10, 512)) > 1);
});

test('that of any other anchor by a thousandth of its size', () => {
  const unsure = (w: number) => [10, 20, w, 40, 0.9, 0.2];
  assert.ok(excess(unsure(100.09), unsure(100)) < 1);
  assert.ok(excess(unsure(100.11), unsure(100)) > 1);
  assert.is(compareOutputs(output(unsure(100.05)), output(unsure(100)), 1, 0.25).boxes, 0);
});

test('scores of every anchor may differ by a ten-thousandth', () => {
  const scored = (objectness: number) => [10, 20, 30, 40, objectness, 0.2];
  assert.ok(excess(scored(0.10009), scored(0.1)) < 1);
  assert.ok(excess(scored(0.10011), scored(0.1)) > 1);
});

test('what is no number is a difference, wherever it is', () => {
  const good = [10, 20, 30, 40, 0.9, 0.9];
  for (let i = 0; i < good.length; i++) {
    const bad = good.with(i, Number.NaN);
    assert.not.ok(excess(bad, good) <= 1);
    assert.not.ok(excess(good, bad) <= 1);
    assert.not.ok(compareOutputs(output(bad, good), output(good, good), 1, 0.25).excess <= 1);
  }
});

test.run();
