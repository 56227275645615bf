import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { barChart, heatmap, histogram, lineChart } from '../../src/report/charts.js';

const test = suite('charts');

/** Parses the SVG, strictly, and gives its size. */
async function sizeOf(svg: string): Promise<[width: number, height: number]> {
  const { format, width, height } = await sharp(Buffer.from(svg)).metadata();
  assert.is(format, 'svg');
  return [width, height];
}

/** Texts in the chart. */
const texts = (svg: string) => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text);

const HOSTILE = ['<script>alert(1)</script>', 'a & b', '"quoted"', 'späte Äpfel', '__proto__', 'constructor'];

test('names of any kind leave the SVG well-formed', async () => {
  const curve = HOSTILE.map((name) => ({
    name,
    points: [
      [0, 1],
      [1, 0],
    ] as const,
  }));
  const shares = HOSTILE.map(() => HOSTILE.map(() => 0.5));
  const cells = HOSTILE.map(() => HOSTILE);
  for (const svg of [
    barChart(HOSTILE, [{ name: HOSTILE[0], values: [1, 2, 3, 4] }], { title: HOSTILE[0] }),
    lineChart(curve, { x: HOSTILE[0], y: HOSTILE[1] }),
    heatmap(HOSTILE, HOSTILE, shares, cells),
  ]) {
    assert.not.match(svg, '<script');
    await sizeOf(svg);
  }
  // Kept in a plain object of the library, `__proto__` would be written to.
  assert.not.ok('prev' in {});
});

test('every label of a bar chart is there, and many make it higher', async () => {
  const labels = Array.from({ length: 40 }, (_, i) => `class ${i}`);
  const few = barChart(labels.slice(0, 4), [{ name: 'AP', values: [0.1, 0.2, 0.3, 0.4] }]);
  const many = barChart(labels, [{ name: 'AP', values: labels.map((_, i) => i) }]);
  for (const label of labels) assert.ok(texts(many).includes(label), label);
  for (const label of labels.slice(0, 4)) assert.ok(texts(few).includes(label), label);
  assert.ok((await sizeOf(many))[1] > (await sizeOf(few))[1]);
});

test('several series have a legend, one has none', () => {
  const series = ['before', 'after'].map((name) => ({ name, values: [1, 2] }));
  assert.ok(texts(barChart(['a', 'b'], series)).includes('before'));
  assert.not.ok(texts(barChart(['a', 'b'], series.slice(0, 1))).includes('before'));
});

test('charts are of the width and height asked for', async () => {
  assert.equal(await sizeOf(lineChart([], { width: 300, height: 200 })), [300, 200]);
});

test('nothing to show is an empty chart', async () => {
  for (const svg of [barChart([], []), histogram([]), lineChart([]), heatmap([], [], [], [])]) await sizeOf(svg);
});

test('a histogram counts each usable value once', () => {
  const svg = histogram([1, 1, 1, 10, 100, Number.NaN, 0], { bins: 3, logBins: true, max: 3 });
  const bars = svg.match(/ecmeta_ssr_type="chart"/g) ?? [];
  assert.is(bars.length, 3);
  const constant = histogram([5, 5, 5], { bins: 2 });
  assert.ok(texts(constant).includes('3'));
});

test.run();
