import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { environmentName } from '../../src/config/keys.js';
import { loadConfig } from '../../src/config/load.js';
import { OLD_KEYS, renamedHint } from '../../src/config/renamed.js';

const test = suite('renamed keys');

test('an old name fails in a file and in the environment, and the hint says the new one', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'yolox-renamed-'));
  const file = join(dir, 'old.yaml');
  for (const key of OLD_KEYS) {
    const tree = key.split('.').reduceRight<unknown>((value, name) => ({ [name]: value }), 1);
    writeFileSync(file, JSON.stringify(tree));
    const inFile = await loadConfig({ file, environment: {} }).then(() => '', String);
    assert.match(inFile, String(renamedHint(key)));
    const name = environmentName(key);
    const inEnvironment = await loadConfig({ environment: { [name]: '1' } }).then(() => '', String);
    assert.match(inEnvironment, String(renamedHint(name, environmentName)));
  }
  rmSync(dir, { recursive: true });
});

test('names that were never others have no such hint', () => {
  for (const key of ['eval.iou', 'nms', 'serve', '']) assert.is(renamedHint(key), undefined);
});

test.run();
