import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { readDetections, readGroundTruth } from '../../../src/data/coco_eval/files.js';

const root = mkdtempSync(join(tmpdir(), 'coco-eval-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));

function write(content: unknown): string {
  const path = join(root, 'file.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const annotation = { id: 1, image_id: 1, category_id: 1, bbox: [0, 0, 5, 5], area: 25 };
const dataset = { images: [{ id: 1 }], categories: [{ id: 1, name: 'a' }], annotations: [annotation] };
const known = { images: [{ id: 1, file_name: '', width: 1, height: 1 }], categories: [], annotations: [] };
const detection = { image_id: 1, category_id: 1, bbox: [0, 0, 5, 5], score: 0.5 };

async function problemOf(promise: Promise<unknown>): Promise<UserError['problem']> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.instance(error, UserError);
  return (error as UserError).problem;
}

const test = suite('files of coco-eval');

test('well-formed files are taken as they are', async () => {
  assert.equal(await readGroundTruth(write(dataset)), dataset as never);
  assert.equal(await readDetections(write([detection]), known), [detection] as never);
  assert.equal(await readDetections(write([]), known), []);
});

for (const [name, entry, field] of [
  ['an area that is missing', { ...annotation, area: undefined }, 'annotations[1].area'],
  ['a box of three numbers', { ...annotation, bbox: [1, 2, 3] }, 'annotations[1].bbox'],
  ['a category that is a word', { ...annotation, category_id: 'a' }, 'annotations[1].category_id'],
  ['an entry that is no object', 7, 'annotations[1].image_id'],
] as const) {
  test(`ground truth: ${name}`, async () => {
    const broken = { ...dataset, annotations: [annotation, entry] };
    assert.is((await problemOf(readGroundTruth(write(broken)))).field, field);
  });
}

test('ground truth: bare NaN', async () => {
  const text = JSON.stringify(dataset).replace('"area":25', '"area":NaN');
  assert.is((await problemOf(readGroundTruth(write(text)))).field, 'annotations[0].area');
});

for (const [name, content, field] of [
  ['not a list', dataset, undefined],
  ['not JSON', '[{', undefined],
  ['no score', [detection, { ...detection, score: null }], '[1].score'],
  ['an image that is not in the ground truth', [detection, { ...detection, image_id: 2 }], '[1].image_id'],
] as const) {
  test(`detections: ${name}`, async () => {
    assert.is((await problemOf(readDetections(write(content), known))).field, field);
  });
}

test('a file that is not there', async () => {
  assert.match((await problemOf(readGroundTruth(join(root, 'none.json')))).where ?? '', 'none.json');
});

test.run();
