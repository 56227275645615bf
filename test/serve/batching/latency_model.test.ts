import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LatencyModel } from '../../../src/serve/batching/latency_model.js';

const test = suite('latency model');

const positions = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 60, maxLength: 120 });
const base = fc.double({ min: 1, max: 100, noNaN: true });
const pace = fc.double({ min: 0, max: 50, noNaN: true });
const near = (a: number, b: number, share: number) => Math.abs(a - b) <= share * Math.abs(b) + 1e-9;

test('without measurements it promises nothing', () => assert.is(new LatencyModel().of(7), 0));

test('a straight line is found where positions differ', () => {
  fc.assert(
    fc.property(positions, base, pace, (at, alone, each) => {
      fc.pre(new Set(at.slice(-20)).size > 10);
      const model = new LatencyModel();
      for (const position of at) model.record(position, alone + each * (position - 1));
      // Doubt pulls the line a little towards the one through the origin.
      for (const position of [5, 20, 50]) assert.ok(near(model.of(position), alone + each * (position - 1), 0.35));
    }),
  );
});

test('of one position alone it is a line through the origin', () => {
  const model = new LatencyModel();
  for (let i = 0; i < 50; i++) model.record(4, 40);
  assert.ok(near(model.of(4), 40, 1e-6));
  assert.ok(near(model.of(8), 80, 1e-6));
});

test('it is never negative, never falls with the position, and never rises faster than through the origin', () => {
  const measurement = fc.tuple(fc.integer({ min: 1, max: 100 }), fc.double({ min: 0, max: 1e4, noNaN: true }));
  fc.assert(
    fc.property(fc.array(measurement, { minLength: 1, maxLength: 60 }), (measured) => {
      const model = new LatencyModel();
      for (const [position, ms] of measured) model.record(position, ms);
      const values = [1, 2, 5, 10, 100].map((position) => model.of(position));
      for (const [i, value] of values.entries()) {
        assert.ok(value >= 0 && Number.isFinite(value));
        if (i > 0) assert.ok(value >= values[i - 1] - 1e-9);
      }
    }),
  );
});

test('what was expected before the start counts until requests are measured', () => {
  const model = new LatencyModel();
  model.expect(10, 5);
  assert.ok(near(model.of(1), 10, 0.2));
  assert.ok(near(model.of(9), 50, 0.2));
  for (let i = 0; i < 200; i++) model.record(1 + (i % 9), 1 + (i % 9));
  assert.ok(near(model.of(9), 9, 0.05));
});

test.run();
