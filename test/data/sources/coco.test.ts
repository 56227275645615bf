import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readCoco } from '../../../src/data/sources/coco.js';
import type { ValidationReport } from '../../../src/data/validation.js';
import { webpFrames } from '../../image/make_hostile.js';
import { makeTiff } from '../../image/make_tiff.js';
import { shared, suiteNeeding } from '../../support/shared.js';
import { annotate, jpeg, messageFrom, writeTree } from './make_coco.js';

const test = suite<{ dir: string; images: string; labels: string }>('coco');

test.before.each((context) => {
  context.dir = mkdtempSync(join(tmpdir(), 'coco-'));
  context.images = join(context.dir, 'images');
  context.labels = join(context.dir, 'labels.json');
  mkdirSync(context.images);
});
test.after.each(({ dir }) => rmSync(dir, { recursive: true }));

const found = ({ counts }: ValidationReport): object =>
  Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));

test('images are found by file name, nested ones too', async ({ dir, images, labels }) => {
  const names = ['a.jpg', 'deep/er/b.jpg', 'ä ß.jpg'];
  const made = annotate(names);
  await writeTree(images, {
    'a.jpg': await jpeg(1),
    'deep/er/b.jpg': await jpeg(2),
    'ä ß.jpg': await jpeg(3),
    'more/other.jpg': await jpeg(4),
  });
  await writeTree(dir, { 'labels.json': JSON.stringify(made) });
  const { dataset, report, pathOf } = await readCoco(images, labels, { checkPixels: true });
  assert.equal(dataset, made);
  assert.equal(found(report), { unlistedImage: 1 });
  assert.equal(report.items, []);
  assert.is(pathOf(dataset.images[1]), join(images, 'deep/er/b.jpg'));
});

test('every kind of unusable image is dropped with its annotations and listed', async ({ dir, images, labels }) => {
  const good = await jpeg(1);
  const bad: Record<string, Uint8Array | string> = {
    'cut.jpg': good.subarray(0, good.length * 0.6),
    // The end marker takes two bytes; the third is of pixels.
    'almost.jpg': good.subarray(0, good.length - 3),
    'zero.jpg': '',
    'text.jpg': 'not an image',
    'svg.jpg': '<svg xmlns="http://www.w3.org/2000/svg" width="80" height="60"/>',
    'cut.png': (await sharp(good).png().toBuffer()).subarray(0, 3000),
    'huge.png': await sharp({ create: { width: 900, height: 900, channels: 3, background: '#fff' } })
      .png()
      .toBuffer(),
  };
  await writeTree(images, { 'good.jpg': good, ...bad });
  await writeTree(dir, { 'secret.jpg': good });
  const names = [
    'good.jpg',
    ...Object.keys(bad),
    'missing.jpg',
    '../secret.jpg',
    `${dir}/secret.jpg`,
    'x/../../secret.jpg',
  ];
  await writeTree(dir, { 'labels.json': JSON.stringify(annotate(names)) });
  const { dataset, report } = await readCoco(images, labels, { checkPixels: true, maxPixels: 500_000 });
  assert.equal(
    dataset.images.map(({ file_name }) => file_name),
    ['good.jpg'],
  );
  assert.equal(
    dataset.annotations.map(({ id }) => id),
    [1],
  );
  assert.equal(found(report), { unreadableImage: 7, missingImage: 1, unsafePath: 3, annotationOfDropped: 11 });
  const listed = report.items.map(({ where }) => where);
  for (const [i, name] of names.slice(1).entries()) assert.ok(listed.includes(`images[${i + 1}] ${name}`), name);
  assert.match(report.items.find(({ where }) => where.endsWith('huge.png'))?.detail ?? '', /at most 500000 pixels/);
});

test('of several frames or pages the first is taken, and that is told', async ({ dir, images, labels }) => {
  const files = {
    'pages.tif': makeTiff({ width: 80, height: 60, pages: 3 }),
    'animated.webp': await webpFrames(5, 60),
    'one.png': await sharp(await jpeg(1))
      .png()
      .toBuffer(),
  };
  await writeTree(images, files);
  const made = annotate(Object.keys(files));
  made.images[1].width = 60;
  await writeTree(dir, { 'labels.json': JSON.stringify(made) });
  const { dataset, report } = await readCoco(images, labels, { checkPixels: true });
  assert.is(dataset.images.length, 3);
  assert.equal(
    report.items.map(({ kind, where, action, detail }) => [kind, where, action, detail]),
    [
      ['severalFrames', 'images[0] pages.tif', 'fixed', '1 of 3'],
      ['severalFrames', 'images[1] animated.webp', 'fixed', '1 of 5'],
    ],
  );
});

test('without checkPixels only the headers are read', async ({ dir, images, labels }) => {
  const good = await jpeg(1);
  await writeTree(images, { 'cut.jpg': good.subarray(0, good.length * 0.6) });
  await writeTree(dir, { 'labels.json': JSON.stringify(annotate(['cut.jpg'])) });
  assert.is((await readCoco(images, labels)).dataset.images.length, 1);
});

test('a size that disagrees with the file is replaced, boxes clipped to it', async ({ dir, images, labels }) => {
  const made = annotate(['a.jpg', 'b.jpg']);
  Object.assign(made.images[0], { width: 640, height: 480 });
  Object.assign(made.images[1], { width: undefined });
  Object.assign(made.annotations[0], { bbox: [70, 50, 100, 100] });
  await writeTree(images, { 'a.jpg': await jpeg(1), 'b.jpg': await jpeg(2) });
  await writeTree(dir, { 'labels.json': JSON.stringify(made) });
  const { dataset, report } = await readCoco(images, labels);
  assert.equal(
    dataset.images.map(({ width, height }) => [width, height]),
    [
      [80, 60],
      [80, 60],
    ],
  );
  assert.equal(dataset.annotations[0].bbox, [70, 50, 10, 10]);
  assert.equal(found(report), { sizeMismatch: 2, boxClipped: 1 });
});

test('EXIF: boxes of the upright image stay, boxes of the stored one are turned', async ({ dir, images, labels }) => {
  const made = annotate(['upright.jpg', 'stored.jpg', 'flipped.jpg']);
  Object.assign(made.images[0], { width: 60, height: 80 });
  await writeTree(images, {
    'upright.jpg': await jpeg(1, 6),
    'stored.jpg': await jpeg(2, 6),
    'flipped.jpg': await jpeg(3, 3),
  });
  await writeTree(dir, { 'labels.json': JSON.stringify(made) });
  const { dataset, report } = await readCoco(images, labels);
  assert.equal(
    dataset.images.map(({ width, height }) => [width, height]),
    [
      [60, 80],
      [60, 80],
      [80, 60],
    ],
  );
  assert.equal(
    dataset.annotations.map(({ bbox }) => bbox),
    [
      [0, 5, 30, 20],
      [60 - 5 - 20, 1, 20, 30],
      [2, 5, 30, 20],
    ],
  );
  assert.equal(found(report), { rotatedImage: 1 });
});

test('names of another system are matched and told; the file is where it is', async ({ dir, images, labels }) => {
  const made = annotate(['sub\\a.jpg', 'C:\\set\\b.jpg', '/data/local-files/?d=sub%2Fc%20d.jpg', 'gone.jpg']);
  await writeTree(images, { 'sub/a.jpg': await jpeg(1), 'b.jpg': await jpeg(2), 'sub/c d.jpg': await jpeg(3) });
  await writeTree(dir, { 'labels.json': JSON.stringify(made) });
  const { dataset, report, pathOf } = await readCoco(images, labels);
  assert.equal(
    dataset.images.map((image) => pathOf(image)),
    ['sub/a.jpg', 'b.jpg', 'sub/c d.jpg'].map((name) => join(images, name)),
  );
  assert.equal(
    dataset.annotations.map(({ image_id }) => image_id),
    [1, 2, 3],
  );
  assert.equal(found(report), { nameMatched: 3, missingImage: 1, annotationOfDropped: 1 });
  assert.equal(report.items[0], {
    kind: 'nameMatched',
    where: 'images[0] sub\\a.jpg',
    action: 'fixed',
    detail: '"sub/a.jpg"',
  });
});

test('a file of another size is not taken for one whose name only ends like it', async ({ dir, images, labels }) => {
  const made = annotate(['/x/a.jpg', '/y/b.jpg', 'c.jpg']);
  Object.assign(made.images[0], { width: 640, height: 480 });
  await writeTree(images, { '1/a.jpg': await jpeg(1), '1/b.jpg': await jpeg(2), 'c.jpg': await jpeg(3) });
  await writeTree(dir, { 'labels.json': JSON.stringify(made) });
  const { dataset, report } = await readCoco(images, labels);
  assert.equal(
    dataset.images.map(({ file_name }) => file_name),
    ['1/b.jpg', 'c.jpg'],
  );
  assert.equal(found(report), { nameMatched: 1, ambiguousName: 1, annotationOfDropped: 1 });
  assert.match(report.items[0].detail, /"1\/a\.jpg" ends like it, but is 80x60, not 640x480/);
});

test('no box lands on an image it was not drawn on: ids used twice', async ({ dir, images, labels }) => {
  const made = annotate(['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg']);
  made.images[3].id = 1;
  Object.assign(made.annotations[3], { image_id: 1 });
  for (const [i, name] of ['a', 'b', 'c', 'd'].entries()) await writeTree(images, { [`${name}.jpg`]: await jpeg(i) });
  await writeTree(dir, { 'labels.json': JSON.stringify(made) });
  const { dataset, report } = await readCoco(images, labels);
  assert.equal(
    dataset.images.map(({ id, file_name }) => [id, file_name]),
    [
      [2, 'b.jpg'],
      [3, 'c.jpg'],
    ],
  );
  assert.equal(
    dataset.annotations.map(({ id, image_id }) => [id, image_id]),
    [
      [2, 2],
      [3, 3],
    ],
  );
  assert.equal(found(report), { duplicateImageId: 2, annotationOfDropped: 2, unlistedImage: 2 });
});

test('entries of one file are one image with the boxes of all', async ({ dir, images, labels }) => {
  const made = annotate(['a.jpg', './a.jpg', 'a.jpg', 'b.jpg']);
  Object.assign(made.annotations[2], { bbox: [0, 5, 30, 20] });
  await writeTree(images, { 'a.jpg': await jpeg(1), 'b.jpg': await jpeg(2) });
  await writeTree(dir, { 'labels.json': JSON.stringify(made) });
  const { dataset, report } = await readCoco(images, labels);
  assert.equal(
    dataset.images.map(({ id, file_name }) => [id, file_name]),
    [
      [1, 'a.jpg'],
      [4, 'b.jpg'],
    ],
  );
  assert.equal(
    dataset.annotations.map(({ id, image_id }) => [id, image_id]),
    [
      [1, 1],
      [2, 1],
      [4, 4],
    ],
  );
  assert.equal(found(report), { sameFile: 2, duplicateBox: 1 });
});

test('text and 64-bit ids: every box stays with its image and category', async ({ dir, images, labels }) => {
  const names = ['a.jpg', 'b.jpg', 'c.jpg'];
  for (const [i, name] of names.entries()) await writeTree(images, { [name]: await jpeg(i) });
  const text = JSON.stringify({
    images: names.map((file_name, i) => ({ id: `#${i}`, file_name, width: 80, height: 60 })),
    annotations: names.map((_, i) => ({
      id: 'x',
      image_id: `#${i}`,
      category_id: '7',
      bbox: [i, 5, 30, 20],
      area: 600,
      iscrowd: 0,
    })),
    categories: [{ id: 7, name: 'cat' }],
  });
  // As text, and as integers that JSON.parse makes one and the same.
  for (const written of [text, text.replace(/"#(\d)"/g, '123456789012345678$1')]) {
    await writeTree(dir, { 'labels.json': written });
    const { dataset, report } = await readCoco(images, labels);
    assert.equal(
      dataset.annotations.map(({ id, image_id, category_id, bbox }) => [id, image_id, category_id, bbox[0]]),
      [
        [1, 1, 7, 0],
        [2, 2, 7, 1],
        [3, 3, 7, 2],
      ],
    );
    assert.equal(found(report), { renumberedId: 3, textId: 3, duplicateAnnotationId: 3 });
  }
});

test('nothing left of the annotations is an error with the commonest cause and its remedy', async ({
  dir,
  images,
  labels,
}) => {
  const made = annotate(['a.jpg', 'b.jpg', 'c.jpg']);
  await writeTree(images, { 'a.jpg': await jpeg(1), 'b.jpg': await jpeg(2), 'c.jpg': await jpeg(3) });
  const message = async (annotations: object[], change: object = {}): Promise<string> => {
    await writeTree(dir, { 'labels.json': JSON.stringify({ ...made, ...change, annotations }) });
    return messageFrom(readCoco(images, labels));
  };
  const each = (change: object): object[] => made.annotations.map((annotation) => ({ ...annotation, ...change }));
  assert.match(
    await message(each({ image_id: 'q' })),
    /annotations: expected at least one usable entry, received "none of 3": 3 × annotation of an image that is not listed: annotations\[0\] id 1, image_id "q"\. image_id of an annotation must be/,
  );
  assert.match(await message(each({ bbox: [1, 2, 1, 0] })), /3 × box of zero area.*above 0\.$/);
  assert.match(await message(each({ bbox: [0.1, 0.2, 0.5, 0.4] })), /3 × box of numbers up to 1.*Multiply by/);
  assert.match(
    await message([...each({ bbox: [900, 5, 30, 20] }), { ...made.annotations[0], bbox: [1, 2, 3] }]),
    /3 × box wholly outside.*bbox is in pixels/,
  );
  const twice = [...made.categories, { id: 1, name: 'fox' }];
  assert.match(
    await message(each({ category_id: 1 }), { categories: twice }),
    /3 × annotation of an image or category that was dropped: .*; 2 × category id used for several names/,
  );
  assert.match(
    await message([], { images: [1, 2, 3].map(() => made.images[0]).map((image, i) => ({ ...image, width: i })) }),
    /images: expected at least one usable entry, received "none of 3": 3 × image id used for several images/,
  );
});

test('a pipe among images, or as annotations, is refused instead of waited for', async ({ dir, images, labels }) => {
  await writeTree(images, { 'a.jpg': await jpeg(1) });
  await writeTree(dir, { 'labels.json': JSON.stringify(annotate(['a.jpg', 'b.jpg'])) });
  execFileSync('mkfifo', [join(images, 'b.jpg'), join(dir, 'pipe.json')]);
  const { dataset, report } = await readCoco(images, labels);
  assert.is(dataset.images.length, 1);
  assert.match(report.items[0].detail, /pipe/);
  assert.match(
    await messageFrom(readCoco(images, join(dir, 'pipe.json'))),
    /^UserError: .*received "a pipe or a device"/,
  );
});

test('no usable image, no folder, no COCO: one clear error', async ({ dir, images, labels }) => {
  await writeTree(dir, { 'labels.json': JSON.stringify(annotate(['a.jpg', 'b.jpg'])), 'broken.json': '{"images": [' });
  assert.match(
    await messageFrom(readCoco(images, labels)),
    /^UserError: .*labels\.json: images\[0\] a\.jpg: expected at least one usable image, received "none of 2": 2 × image file not found: .*The names are like "a\.jpg"; .*images holds no file\./,
  );
  assert.match(
    await messageFrom(readCoco(join(dir, 'nowhere'), labels)),
    /^UserError: .*nowhere: expected an existing path/,
  );
  assert.match(
    await messageFrom(readCoco(images, join(dir, 'broken.json'))),
    /^UserError: .*broken\.json: expected valid JSON/,
  );
});

test.run();

const folder = shared('coco');
const real = suiteNeeding('coco on real images', [folder]);

real('the COCO subset is sound: nothing is changed', async () => {
  const { dataset, report } = await readCoco(join(folder, 'images'), join(folder, 'instances.json'), {
    checkPixels: true,
  });
  assert.is(dataset.images.length, 146);
  assert.is(dataset.annotations.length, 1230);
  assert.is(dataset.categories.length, 80);
  assert.equal(found(report), { unlistedImage: 61, crowd: 16 });
});

real.run();
