import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { readDataset } from '../../src/data/tables.js';
import { caseFile, caseSuite, inTempDir, yolox } from './helpers.js';

const NAME = '19-digit-names';
const test = caseSuite(NAME);
const images = ['--images', caseFile(NAME, 'images'), '--annotations', caseFile(NAME, 'labels.json')];

/** Names of the categories that data-prep keeps. */
async function prepared(...flags: string[]): Promise<string[]> {
  return inTempDir(async (dir) => {
    const store = join(dir, 'store');
    const { code, stdout, stderr } = await yolox(['data-prep', ...images, '--store', store, '--json', ...flags]);
    assert.is(code, 0, stderr);
    const { train } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
    return (await readDataset(train)).categories.map(({ name }) => name);
  });
}

test('digits are names, on the command line and in a file', async () => {
  const names = ['02146', '21008'];
  assert.equal(await prepared('--prep.categories', '[02146, 21008]'), names);
  assert.equal(await prepared('--config', caseFile(NAME, 'config.yaml')), names);
});

test.run();
