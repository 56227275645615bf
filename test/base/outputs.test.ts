import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { refuseOtherEnding, refuseReplacing } from '../../src/base/outputs.js';

const root = mkdtempSync(join(tmpdir(), 'outputs-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));
const at = (name: string) => join(root, name);

mkdirSync(at('in/sub'), { recursive: true });
writeFileSync(at('in/sub/w.onnx'), 'weights');
symlinkSync(at('in'), at('link'));
linkSync(at('in/sub/w.onnx'), at('hard.onnx'));

const test = suite('outputs and inputs');

for (const [what, out] of [
  ['the input', 'in/sub/w.onnx'],
  ['the input through a link', 'link/sub/w.onnx'],
  ['the input, spelt otherwise', 'in/./sub/../sub/w.onnx'],
  ['the same file by another name', 'hard.onnx'],
  ['its folder', 'in/sub'],
  ['a folder above it', 'in'],
  ['a link to a folder above it', 'link'],
] as const) {
  test(`refused: ${what}`, async () => {
    try {
      await refuseReplacing(at(out), [at('in/sub/w.onnx')]);
      assert.unreachable();
    } catch (error) {
      assert.instance(error, UserError);
      assert.match((error as UserError).message, 'w.onnx would be replaced');
    }
  });
}

test('anything else is fine', async () => {
  for (const out of ['in/sub/w.onnx2', 'in/su', 'new/w.onnx', 'in/sub/w.onnx/below']) {
    await refuseReplacing(at(out), [at('in/sub/w.onnx'), at('absent')]);
  }
});

test('an output is not called like weights of another format', () => {
  for (const out of ['a.pth', 'A.ONNX', 'dir/a.npz'])
    assert.throws(() => refuseOtherEnding(out, '.safetensors', 'Do it.'), /^--out: expected a name ending in \.safet/);
  for (const out of ['a.safetensors', 'a.Safetensors', 'a', 'a.v2', 'a.out'])
    refuseOtherEnding(out, '.safetensors', 'Do it.');
});

test.run();
