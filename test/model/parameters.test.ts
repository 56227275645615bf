import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadConfig } from '../../src/config/load.js';
import { isTrainable, parameters } from '../../src/model/parameters.js';

const test = suite('parameters');

/** Megvii's published sizes with COCO's 80 classes. */
const PUBLISHED = { nano: 912_159, tiny: 5_055_855, s: 8_968_255, m: 25_326_495, l: 54_208_895, x: 99_071_455 };

for (const [name, count] of Object.entries(PUBLISHED)) {
  test(`YOLOX-${name} has ${count} learnt values`, async () => {
    const { model } = await loadConfig({ file: `yolox-${name}`, environment: {} });
    const learnt = parameters({ ...model, classes: 80 }).filter(isTrainable);
    const sizes = learnt.map(({ shape }) => shape.reduce((a, b) => a * b));
    assert.is(
      sizes.reduce((a, b) => a + b),
      count,
    );
  });
}

test('names are distinct', () => {
  const names = parameters({ depth: 0.33, width: 0.25, depthwise: true, classes: 3 }).map(({ name }) => name);
  assert.is(new Set(names).size, names.length);
});

test.run();
