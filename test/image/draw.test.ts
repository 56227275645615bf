import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { annotate, type LabelledBox } from '../../src/image/draw.js';

const test = suite('annotated images');

const black = (width: number, height: number) => ({ width, height, data: new Uint8Array(width * height * 3) });

async function decode(jpeg: Buffer) {
  const { data, info } = await sharp(jpeg).raw().toBuffer({ resolveWithObject: true });
  const count = (wanted: (r: number, g: number, b: number) => boolean) => {
    let pixels = 0;
    for (let i = 0; i < data.length; i += 3) if (wanted(data[i], data[i + 1], data[i + 2])) pixels++;
    return pixels;
  };
  return {
    ...info,
    white: count((r, g, b) => Math.min(r, g, b) > 180),
    blue: count((r, g, b) => b > 150 && r < 100 && g < 100),
  };
}

const box = (label: string, at: LabelledBox['box'] = [40, 40, 160, 120]): LabelledBox => ({
  box: at,
  label,
  color: '#0000ff',
});

test('boxes are outlined, tags filled and written on', async () => {
  const plain = await decode(await annotate(black(320, 240), []));
  const outlined = await decode(await annotate(black(320, 240), [box('')]));
  const tagged = await decode(await annotate(black(320, 240), [box('dog 0.86')]));
  assert.is(plain.blue, 0);
  assert.ok(outlined.blue > 200);
  assert.is(outlined.white, 0);
  assert.ok(tagged.blue > outlined.blue + 200);
  assert.ok(tagged.white > 50);
});

test('dashes take less ink', async () => {
  const solid = await decode(await annotate(black(320, 240), [box('')]));
  const dashed = await decode(await annotate(black(320, 240), [{ ...box(''), dashed: true }]));
  assert.ok(dashed.blue > 100 && dashed.blue < solid.blue * 0.8);
});

test('tags never cover each other', async () => {
  const one = await decode(await annotate(black(320, 240), [box('dog')]));
  const two = await decode(await annotate(black(320, 240), [box('dog'), box('dog')]));
  const crowded = await decode(await annotate(black(320, 240), new Array(50).fill(box('dog'))));
  assert.ok(Math.abs(two.white - 2 * one.white) < one.white * 0.2);
  assert.ok(crowded.white < 5 * one.white);
});

test('a large image is scaled down, a small one left', async () => {
  const { width, height } = await decode(await annotate(black(1000, 500), [box('x')], { maxSide: 200 }));
  assert.equal([width, height], [200, 100]);
  assert.is((await decode(await annotate(black(100, 50), []))).width, 100);
});

test('odd boxes, labels and images are drawn', async () => {
  const odd = [
    box('<b> & "quotes" \u{1f600}', [-50, -50, 1000, 1000]),
    box('outside', [500, 500, 600, 600]),
    box('line', [10, 10, 10, 60]),
    box('a very long name that is wider than the image it belongs to, by far', [0, 0, 20, 20]),
    box(' '),
  ];
  for (const [width, height] of [
    [1, 1],
    [7, 300],
    [120, 80],
  ]) {
    assert.is((await decode(await annotate(black(width, height), odd))).width, width);
  }
});

test('labels appear on a machine without fonts', () => {
  const dir = mkdtempSync(join(tmpdir(), 'no-fonts-'));
  try {
    writeFileSync(join(dir, 'fonts.conf'), '<?xml version="1.0"?><fontconfig></fontconfig>');
    writeFileSync(
      join(dir, 'draw.mjs'),
      `import { annotate } from ${JSON.stringify(resolve(import.meta.dirname, '../../src/image/draw.ts'))};
      const image = { width: 320, height: 240, data: new Uint8Array(320 * 240 * 3) };
      const jpeg = await annotate(image, [{ box: [40, 40, 160, 120], label: 'dog 0.86', color: '#0000ff' }]);
      process.stdout.write(jpeg.toString('base64'));`,
    );
    const output = execFileSync(process.execPath, ['--import', import.meta.resolve('tsx'), join(dir, 'draw.mjs')], {
      env: { ...process.env, FONTCONFIG_FILE: join(dir, 'fonts.conf') },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return decode(Buffer.from(output, 'base64')).then(({ white }) => assert.ok(white > 50));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test.run();
