import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { type GroundTruth, readDetections, readGroundTruth } from '../../../src/data/coco_eval/files.js';
import { Notices } from '../../../src/data/coco_eval/notices.js';

const root = mkdtempSync(join(tmpdir(), 'coco-eval-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));

function write(content: unknown): string {
  const path = join(root, 'file.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const annotation = { id: 7, image_id: 5, category_id: 1, bbox: [0, 0, 5, 5], area: 25, iscrowd: 0 };
const dataset = { images: [{ id: 5 }], categories: [{ id: 1, name: 'a' }], annotations: [annotation] };
const detection = { image_id: 5, category_id: 1, bbox: [0, 0, 5, 5], score: 0.5 };
const known: GroundTruth = {
  dataset: { images: [], annotations: [], categories: [] },
  imageIds: new Map([[5, 1]]),
  categoryIds: new Map([[1, 1]]),
};

async function problemOf(promise: Promise<unknown>): Promise<UserError['problem']> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.instance(error, UserError);
  return (error as UserError).problem;
}

const test = suite('files of coco-eval');

test('well-formed files are taken as they are, images and categories numbered', async () => {
  const notices = new Notices();
  const truth = await readGroundTruth(write(dataset), notices);
  assert.equal(truth.dataset.annotations, [{ ...annotation, id: 1, image_id: 1 }]);
  assert.equal(truth.dataset.categories, [{ id: 1, name: 'a' }]);
  assert.equal(await readDetections(write([detection]), known, notices), [{ ...detection, image_id: 1 }]);
  assert.equal(notices.list, []);
  assert.equal(await readDetections(write([]), known, notices), []);
  assert.equal(
    notices.list.map(({ kind }) => kind),
    ['noDetections'],
  );
});

for (const [name, change, field] of [
  ['an area that is missing', { area: undefined }, 'annotations[1].area'],
  ['an area that is text', { area: '25' }, 'annotations[1].area'],
  ['a box of three numbers', { bbox: [1, 2, 3] }, 'annotations[1].bbox'],
  ['a category that is a fraction', { category_id: 1.5 }, 'annotations[1].category_id'],
  ['an image that is true', { image_id: true }, 'annotations[1].image_id'],
  ['no id', { id: undefined }, 'annotations[1].id'],
  ['an id used before', { id: 7 }, 'annotations[1].id'],
  ['iscrowd that is text', { iscrowd: '0' }, 'annotations[1].iscrowd'],
] as const) {
  test(`ground truth: ${name}`, async () => {
    const broken = { ...dataset, annotations: [annotation, { ...annotation, id: 8, ...change }] };
    assert.is((await problemOf(readGroundTruth(write(broken), new Notices()))).field, field);
  });
}

test('ground truth: an entry that is no object', async () => {
  const broken = { ...dataset, annotations: [annotation, 7] };
  assert.is((await problemOf(readGroundTruth(write(broken), new Notices()))).field, 'annotations[1]');
});

test('ground truth: bare NaN', async () => {
  const text = JSON.stringify(dataset).replace('"area":25', '"area":NaN');
  assert.is((await problemOf(readGroundTruth(write(text), new Notices()))).field, 'annotations[0].area');
});

test('ground truth: ids of numbers and of text together, and integers that NumPy would round', async () => {
  const mixed = { ...dataset, images: [{ id: 5 }, { id: '5' }] };
  assert.is((await problemOf(readGroundTruth(write(mixed), new Notices()))).field, 'images[1].id');
  const long = JSON.stringify(dataset).replace('{"id":5}', '{"id":9223372036854775808}');
  const problem = await problemOf(readGroundTruth(write(long), new Notices()));
  assert.equal([problem.field, problem.received], ['images[0].id', 9223372036854775808n]);
});

for (const [name, content, field] of [
  ['not a list', dataset, undefined],
  ['not JSON', '[{', undefined],
  ['no score', [detection, { ...detection, score: null }], '[1].score'],
  ['a score that is text', [detection, { ...detection, score: '0.5' }], '[1].score'],
  ['a score that is NaN', JSON.stringify([detection, detection]).replace(/0\.5}]$/, 'NaN}]'), '[1].score'],
  ['an image that is not in the ground truth', [detection, { ...detection, image_id: 2 }], '[1].image_id'],
  ['an image named by text', [detection, { ...detection, image_id: '5' }], '[1].image_id'],
  ['masks without boxes', [{ ...detection, bbox: undefined, segmentation: {} }], '[0].bbox'],
] as const) {
  test(`detections: ${name}`, async () => {
    assert.is((await problemOf(readDetections(write(content), known, new Notices()))).field, field);
  });
}

for (const [name, content, pattern] of [
  ['of the ground truth', dataset, /a COCO dataset.*--gt/],
  ['wrapped', { annotations: [detection] }, /an object with a list under .*"annotations.*Write a list/],
  [
    'JSON lines',
    `${JSON.stringify(detection)}\n${JSON.stringify(detection)}`,
    /several values: put them into one list/,
  ],
  ['of text ids', [{ ...detection, image_id: 'a.jpg' }], /ids are like 5: write these numbers/],
  ['of another dataset', [{ ...detection, image_id: 99 }], /ids are like 5: is it the ground truth of these/],
] as const) {
  test(`detections, the remedy: ${name}`, async () => {
    await readDetections(write(content), known, new Notices()).then(
      () => assert.unreachable(),
      (error) => assert.match(error.message, pattern),
    );
  });
}

test('detections beyond the best hundred are counted', async () => {
  const notices = new Notices();
  await readDetections(write(new Array(103).fill(detection)), known, notices);
  assert.equal(
    notices.list.map(({ kind, count }) => [kind, count]),
    [['beyondLimit', 3]],
  );
});

test('a file that is not there', async () => {
  assert.match((await problemOf(readGroundTruth(join(root, 'none.json'), new Notices()))).where ?? '', 'none.json');
});

test.run();
