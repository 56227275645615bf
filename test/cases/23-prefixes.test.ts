import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { loadWeights } from '../../src/model/weights/load.js';
import { caseFile, caseSuite, inTempDir, yolox } from './helpers.js';

const test = caseSuite('23-prefixes');
const file = (name: string) => caseFile('23-prefixes', name);

test('checkpoints of torch.compile and Lightning hold the same network as the plain one', async () => {
  const [plain, compiled, lightning] = await Promise.all(
    ['plain.pth', 'compiled.pth', 'lightning.ckpt'].map((name) => loadWeights(file(name))),
  );
  assert.equal(compiled.weights, plain.weights);
  assert.equal(lightning.weights, plain.weights);
  const prefix = (name: string) => [`"${name}" is taken out of the names of ${plain.weights.size} tensors`];
  assert.equal([plain.notices, compiled.notices, lightning.notices], [[], prefix('_orig_mod.'), prefix('model.')]);
});

test('import-weights tells what it takes out of the names', async () => {
  await inTempDir(async (dir) => {
    const { code, stdout, stderr } = await yolox([
      'import-weights',
      file('compiled.pth'),
      '--out',
      join(dir, 'a.safetensors'),
      '--json',
    ]);
    assert.is(code, 0, stderr);
    assert.match(stderr, /"_orig_mod\." is taken out/);
    const { loaded, unexpected, notices } = JSON.parse(stdout);
    assert.equal([loaded, unexpected, notices.length], [388, [], 1]);
  });
});

test.run();
