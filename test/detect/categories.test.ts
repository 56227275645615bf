import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { COCO_CLASSES } from '../../src/detect/categories.js';
import { classColor } from '../../src/image/colors.js';
import { shared, suiteNeeding } from '../support/shared.js';

const test = suite('classes');

test('80 classes with rising ids up to 90', () => {
  assert.is(COCO_CLASSES.length, 80);
  const ids = COCO_CLASSES.map(({ id }) => id);
  assert.equal(
    ids,
    [...new Set(ids)].sort((a, b) => a - b),
  );
  assert.is(ids.at(-1), 90);
  assert.is(new Set(COCO_CLASSES.map(({ name }) => name)).size, 80);
});

test('the first 80 colours are colours, all different', () => {
  const colours = COCO_CLASSES.map((_, index) => classColor(index));
  for (const colour of colours) assert.match(colour, /^#[0-9a-f]{6}$/);
  assert.is(new Set(colours).size, 80);
});

test.run();

const file = shared('coco', 'instances.json');
const real = suiteNeeding('classes of COCO', [file]);

real('ids, names and supercategories are those of the COCO annotations', () => {
  const { categories } = JSON.parse(readFileSync(file, 'utf8'));
  assert.equal(COCO_CLASSES, categories);
});

real.run();
