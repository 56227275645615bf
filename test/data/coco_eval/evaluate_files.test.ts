import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluateFiles, type FileEvaluation } from '../../../src/data/coco_eval/evaluate_files.js';

const root = mkdtempSync(join(tmpdir(), 'evaluate-files-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));

function evaluate(gt: string, dt: string): Promise<FileEvaluation> {
  const paths = [gt, dt].map((text, i) => {
    const path = join(root, `${i === 0 ? 'gt' : 'dt'}.json`);
    writeFileSync(path, text);
    return path;
  });
  return evaluateFiles(paths[0], paths[1]);
}

/** Two images of two categories; the detections are off by some pixels, the last is of the wrong category. */
const GT = `{"images": [{"id": 11}, {"id": 12}], "categories": [{"id": 3, "name": "a"}, {"id": 5, "name": "b"}],
"annotations": [
{"id": 1, "image_id": 11, "category_id": 3, "bbox": [10, 10, 60, 60], "area": 3600, "iscrowd": 0},
{"id": 2, "image_id": 11, "category_id": 5, "bbox": [50, 20, 20, 30], "area": 600, "iscrowd": 0},
{"id": 8, "image_id": 12, "category_id": 3, "bbox": [5, 5, 100, 120], "area": 12000, "iscrowd": 0},
{"id": 9, "image_id": 12, "category_id": 3, "bbox": [60, 60, 80, 80], "area": 6400, "iscrowd": 0}]}`;
const DT = `[{"image_id": 11, "category_id": 3, "bbox": [13, 10, 60, 60], "score": 0.9},
{"image_id": 11, "category_id": 5, "bbox": [50, 23, 20, 30], "score": 0.8},
{"image_id": 12, "category_id": 3, "bbox": [9, 5, 100, 115], "score": 0.7},
{"image_id": 12, "category_id": 3, "bbox": [60, 70, 80, 80], "score": 0.3},
{"image_id": 12, "category_id": 5, "bbox": [60, 60, 80, 80], "score": 0.6}]`;

const asText = (json: string) => json.replace(/("(?:image_|category_)id": |\{"id": )(\d+)(?=[,}])/g, '$1"$2"');
const asLong = (json: string) =>
  json.replace(/(?:"image_id": |\{"id": )1(?=[12]\b)/g, (found) => `${found}${'0'.repeat(17)}`);
const exchanged = (json: string) => json.replace(/(?<="image_id": 1)[12]/g, (digit) => (digit === '1' ? '2' : '1'));

/** By pycocotools 2.0.11 (NumPy 2.4): the twelve figures for each change of the files; −1 where it has none. */
const EXPECTED: [name: string, gt: string, dt: string, notices: string[], stats: number[]][] = [
  [
    'as they are',
    GT,
    DT,
    [],
    [0.7331683168, 1, 1, 0.7, 0.7514851485, 0.8, 0.6333333333, 0.7333333333, 0.7333333333, 0.7, 0.75, 0.8],
  ],
  [
    'ids of text',
    asText(GT),
    asText(DT),
    ['4 textId'],
    [0.7331683168, 1, 1, 0.7, 0.7514851485, 0.8, 0.6333333333, 0.7333333333, 0.7333333333, 0.7, 0.75, 0.8],
  ],
  [
    'ids beyond 2^53',
    asLong(GT),
    asLong(DT),
    [],
    [0.7331683168, 1, 1, 0.7, 0.7514851485, 0.8, 0.6333333333, 0.7333333333, 0.7333333333, 0.7, 0.75, 0.8],
  ],
  ['images exchanged beyond 2^53', asLong(GT), asLong(exchanged(DT)), [], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
  [
    'an annotation of id 0',
    GT.replace('"id": 1,', '"id": 0,'),
    DT,
    ['1 zeroId'],
    [
      0.4995049505, 0.7211221122, 0.7211221122, 0.7, 0.1514851485, 0.8, 0.4833333333, 0.5833333333, 0.5833333333, 0.7,
      0.3, 0.8,
    ],
  ],
  [
    'a detection of an unknown category',
    GT,
    DT.replace('"category_id": 5', '"category_id": "5"'),
    ['1 unknownDetectedCategory'],
    [0.3831683168, 0.5, 0.5, 0, 0.7514851485, 0.8, 0.2833333333, 0.3833333333, 0.3833333333, 0, 0.75, 0.8],
  ],
  [
    'annotations of an unknown image and category',
    GT.replace('"id": 1, "image_id": 11', '"id": 1, "image_id": 13')
      .replace('20, 30], "area": 600', '20, 30], "area": 600')
      .replace('"image_id": 11, "category_id": 5', '"image_id": 11, "category_id": 6'),
    DT,
    ['1 unknownImage', '1 unknownCategory'],
    [0.4504950495, 0.6666666667, 0.6666666667, -1, 0.3, 0.8, 0.4, 0.7, 0.7, -1, 0.6, 0.8],
  ],
  [
    'an image and a category listed twice',
    GT.replace('{"id": 11}', '{"id": 11}, {"id": 11}').replace('{"id": 3,', '{"id": 3, "name": "c"}, {"id": 3,'),
    DT,
    ['1 duplicateImageId', '1 duplicateCategoryId'],
    [0.7331683168, 1, 1, 0.7, 0.7514851485, 0.8, 0.6333333333, 0.7333333333, 0.7333333333, 0.7, 0.75, 0.8],
  ],
  [
    'a crowd',
    GT.replace('12000, "iscrowd": 0', '12000, "iscrowd": 1'),
    DT,
    [],
    [0.7257425743, 1, 1, 0.7, 0.7514851485, -1, 0.575, 0.725, 0.725, 0.7, 0.75, -1],
  ],
  [
    'ignore without iscrowd',
    GT.replace('600, "iscrowd": 0', '600, "iscrowd": 0, "ignore": 1'),
    DT,
    ['1 ignoreField'],
    [0.7331683168, 1, 1, 0.7, 0.7514851485, 0.8, 0.6333333333, 0.7333333333, 0.7333333333, 0.7, 0.75, 0.8],
  ],
  [
    'a detection of negative width',
    GT,
    DT.replace('60, 60], "score": 0.9', '-60, 60], "score": 0.9'),
    ['1 negativeSize'],
    [
      0.5826732673, 0.8316831683, 0.8316831683, 0.7, 0.302970297, 0.8, 0.4833333333, 0.5833333333, 0.5833333333, 0.7,
      0.3, 0.8,
    ],
  ],
  [
    'areas that are not of the boxes',
    GT.replace('"area": 3600', '"area": 900.5').replace('"area": 600', '"area": -1'),
    DT,
    [],
    [0.7663366337, 1, 1, 0.9, 0.6, 0.8, 0.5666666667, 0.7666666667, 0.7666666667, 0.9, 0.6, 0.8],
  ],
];

const test = suite('coco-eval of files');

for (const [name, gt, dt, notices, expected] of EXPECTED) {
  test(name, async () => {
    const { stats, notices: told } = await evaluate(gt, dt);
    assert.equal(
      told.map(({ kind, count }) => `${count} ${kind}`),
      notices,
    );
    for (const [i, value] of stats.entries())
      assert.ok(Math.abs((value ?? -1) - expected[i]) < 1e-9, `figure ${i}: ${value}`);
  });
}

test('a ground truth without an object says so', async () => {
  const { stats, notices } = await evaluate(GT.replace(/"annotations": .*/s, '"annotations": []}'), DT);
  assert.ok(stats.every((figure) => figure === null));
  assert.equal(
    notices.map(({ kind }) => kind),
    ['noObjects'],
  );
});

test.run();
