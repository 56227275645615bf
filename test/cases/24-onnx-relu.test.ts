import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { caseFile, caseSuite, inTempDir, yolox } from './helpers.js';

const test = caseSuite('24-onnx-relu');
const RELU = caseFile('24-onnx-relu', 'yolox_relu.onnx');

test('a graph of ReLU is refused by every command, naming the node, and leaves nothing', async () => {
  await inTempDir(async (dir) => {
    const out = join(dir, 'out');
    for (const args of [
      ['import-weights', RELU, '--out', out],
      ['pack', '--weights', RELU, '--out', out],
      ['export-onnx', '--weights', RELU, '--out', out],
    ]) {
      const { code, stderr } = await yolox(args);
      assert.is(code, 2, stderr);
      assert.match(
        stderr,
        /yolox_relu\.onnx: graph: expected SiLU after head\.reg_convs\.0\.1 .*received "Relu head\.reg_convs\.0\.1/,
      );
      assert.equal(await readdir(dir), []);
    }
  });
});

test.run();
