import * as assert from 'uvu/assert';
import { loadWeights } from '../../src/model/weights/load.js';
import { caseFile, caseSuite } from './helpers.js';

const test = caseSuite('25-onnx-fp16-int32');

test('half-precision values are read from int32_data as from raw_data', async () => {
  const [typed, raw] = await Promise.all(
    ['fp16_int32_data.onnx', 'fp16_raw.onnx'].map((name) => loadWeights(caseFile('25-onnx-fp16-int32', name))),
  );
  assert.equal(typed.weights, raw.weights);
  for (const { check } of [typed, raw]) assert.ok(check && check.difference < 1e-4 && check.magnitude > 1);
});

test.run();
