import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { operatingPoints } from '../../src/data/coco_eval/confidence.js';
import { classifyOutcomes, confusionMatrix } from '../../src/data/coco_eval/confusion.js';
import { evaluateCoco } from '../../src/data/coco_eval/index.js';
import type { CocoDataset, CocoDetection } from '../../src/detect/coco.js';
import { type EvalReport, evalReport } from '../../src/report/eval_report.js';
import { problems } from '../data/coco_eval/arbitrary.js';

const test = suite('evaluation report');

function report(dataset: CocoDataset, detections: CocoDetection[], rest: Partial<EvalReport> = {}): Promise<string> {
  const evaluation = evaluateCoco(dataset, detections);
  const { categories } = dataset;
  const matrix = confusionMatrix(classifyOutcomes(dataset, detections, { confidence: 0.25 }).values(), categories);
  return evalReport({
    title: 'Evaluation',
    subtitle: '',
    remarks: [],
    evaluation,
    points: operatingPoints(evaluation.categories.map(({ matches }) => matches)),
    confusion: { categories, matrix, confidence: 0.25 },
    images: [],
    ...rest,
  });
}

const charts = (html: string) => html.match(/<svg/g)?.length ?? 0;

test('any evaluation has a report', async () => {
  await fc.assert(
    fc.asyncProperty(problems, async ([dataset, detections]) => {
      const html = await report(dataset, detections);
      assert.not.match(html, /NaN|undefined/);
      // Classes, two curves, confidence, confusion; the last alone needs no objects.
      const expected = dataset.annotations.every(({ iscrowd }) => iscrowd)
        ? 1
        : html.includes('Nothing was detected')
          ? 4
          : 5;
      assert.is(charts(html), expected);
    }),
    { numRuns: 8 },
  );
});

const dataset: CocoDataset = {
  images: [{ id: 1, file_name: '1.jpg', width: 100, height: 100 }],
  categories: [{ id: 1, name: 'bicycle' }],
  annotations: [{ id: 1, image_id: 1, category_id: 1, bbox: [10, 10, 50, 50], area: 2500, iscrowd: 0 }],
};
const found: CocoDetection = { image_id: 1, category_id: 1, bbox: [10, 10, 50, 50], score: 0.9 };

test('nothing found, and nothing to find, are said in words', async () => {
  assert.match(await report(dataset, []), 'Nothing was detected');
  assert.match(await report({ ...dataset, annotations: [] }, [found]), 'No class has objects');
});

test('an earlier evaluation is compared with', async () => {
  const html = await report(dataset, [found], {
    before: { label: 'imported', stats: [0.4, 0.5, 0.4, null, 0.4, null, 0.4, 0.4, 0.4, null, 0.4, null] },
  });
  assert.match(html, 'imported');
  assert.match(html, '+0.600');
});

test('figures that are absent before or after are dashes, not changes', async () => {
  const stats = new Array(12).fill(null);
  const html = await report(dataset, [found], { before: { label: 'imported', stats } });
  assert.not.match(html, /[+−]\d\.\d{3}/);
  assert.match(html, '–');
  assert.not.match(html, /null|NaN/);
  const empty = await report({ ...dataset, annotations: [] }, [], {
    before: { label: 'imported', stats: stats.fill(0.5) },
  });
  assert.not.match(empty, /[+−]\d\.\d{3}/);
});

test('images stand under their headings', async () => {
  const image = { gallery: 'false alarms' as const, jpeg: Buffer.from('jpeg'), caption: '1.jpg: 1 false alarm' };
  const html = await report(dataset, [found], { images: [image] });
  assert.match(html, 'False alarms</a></h2>');
  assert.match(html, 'alt="1.jpg: 1 false alarm"');
  assert.not.match(html, 'Misses</a></h2>');
});

test.run();
