import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { evaluateFiles, type FileEvaluation } from '../../../src/data/coco_eval/evaluate_files.js';

/** Python with pycocotools; whoever has it elsewhere names it. */
const PYTHON = process.env.YOLOX_PYCOCOTOOLS ?? 'python3';
const SCRIPT = join(import.meta.dirname, 'reference.py');
const CASES = 300;

/** Notices of files that pycocotools stops at, while their figures are clear. */
const TAKEN = ['missingIscrowd', 'noDetections', 'textId'];

/** What is refused though pycocotools gives figures: objects counted twice, an order by NaN, entries it does not look at. */
const REFUSED = /an id that no other annotation has|expected a finite number/;

type Answer = { stats: number[]; error?: undefined } | { error: string };

function pycocotools(pairs: readonly (readonly [string, string])[]): Answer[] {
  const text = execFileSync(PYTHON, [SCRIPT], { input: JSON.stringify(pairs), maxBuffer: 1 << 28 });
  return JSON.parse(text.toString());
}

function isThere(): boolean {
  try {
    execFileSync(PYTHON, ['-c', 'import pycocotools'], { stdio: 'ignore' });
    return true;
  } catch {
    console.log(`skipped: comparison with pycocotools needs it in ${PYTHON} (YOLOX_PYCOCOTOOLS names another)`);
    return false;
  }
}

/** Ids as files have them, as JSON: 1, -3, "a", and integers that run together as doubles. */
const idKinds = fc.constantFrom<(index: number) => string>(
  (index) => String(index + 1),
  (index) => String(2 - index),
  (index) => String(9223372036854775000n + BigInt(index)),
  (index) => String(-9007199254740992n - BigInt(index)),
  (index) => JSON.stringify(['b', 'a', 'é', '\uFFEE', '\u{1F600}', '10', '9'][index]),
  (index) => JSON.stringify(`12345678901234567${index}`),
);

const rarely = fc.integer({ min: 0, max: 14 }).map((value) => value === 0);
const now = fc.integer({ min: 0, max: 3 }).map((value) => value === 0);
const corner = fc.integer({ min: 0, max: 40 });
const side = fc.integer({ min: 1, max: 120 });
const box = fc.tuple(corner, corner, side, side);

const annotation = fc.record({
  id: fc.integer({ min: 0, max: 59 }).map((value) => ['0', '"x"', '"0"', '7', '7'][value] ?? ''),
  image: fc.nat({ max: 4 }),
  category: fc.nat({ max: 3 }),
  box,
  scale: fc.constantFrom(1, 1, 1, 1, 0.5, -1),
  crowd: fc.constantFrom('0', '0', '0', '0', '1', 'true'),
  ignore: now,
  negative: rarely,
  unknown: rarely,
});

const detection = fc.record({
  image: fc.nat({ max: 2 }),
  category: fc.nat({ max: 3 }),
  near: fc.nat(),
  shift: fc.tuple(...[0, 0, 0, 0].map(() => fc.integer({ min: -3, max: 3 }))),
  box: fc.option(box, { freq: 3 }),
  score: fc.integer({ min: 1, max: 6 }).map((value) => value / 8),
  negative: rarely,
});

const problem = fc.record({
  imageId: idKinds,
  categoryId: idKinds,
  annotations: fc.array(annotation, { minLength: 0, maxLength: 14 }),
  detections: fc.array(detection, { minLength: 0, maxLength: 40 }),
  copies: fc.constantFrom(1, 1, 1, 30),
  twice: fc.constantFrom('', '', '', 'image', 'category'),
  spoil: fc.integer({ min: 0, max: 40 }).map((value) => ['NaN', '"0.5"', 'stray', 'nothing', 'crowdless'][value] ?? ''),
});

/** The texts of a ground truth and a results file. */
function textsOf(spec: typeof problem extends fc.Arbitrary<infer T> ? T : never): [string, string] {
  const { imageId, categoryId, spoil, twice } = spec;
  const images = [2, 0, 1, ...(twice === 'image' ? [1] : [])].map((i) => `{"id": ${imageId(i)}}`);
  const categories = [1, 0, 2, ...(twice === 'category' ? [0] : [])].map(
    (i, place) => `{"id": ${categoryId(i)}, "name": "n${place}"}`,
  );
  const annotations = spec.annotations.map((own, index) => {
    const [x, y, width, height] = own.box;
    return `{"id": ${own.id || 100 + index}, "image_id": ${imageId(own.unknown ? 4 : own.image % 3)},
      "category_id": ${categoryId(own.category)}, "bbox": [${x}, ${y}, ${own.negative ? -width : width}, ${height}],
      "area": ${width * height * own.scale}${spoil === 'crowdless' ? '' : `, "iscrowd": ${own.crowd}`}${own.ignore ? ', "ignore": 1' : ''}}`;
  });
  const single = spec.detections.map((own, index) => {
    const model = spec.annotations[own.near % Math.max(1, spec.annotations.length)];
    const target = own.box || !model ? undefined : model;
    const [x, y, w, h] = target ? target.box.map((value, i) => value + own.shift[i]) : (own.box ?? [1, 2, 30, 40]);
    const score = index === 1 && ['NaN', '"0.5"'].includes(spoil) ? spoil : own.score;
    const image = index === 2 && spoil === 'stray' ? 5 : (target?.image ?? own.image) % 3;
    return `{"image_id": ${imageId(image)}, "category_id": ${categoryId(target?.category ?? own.category)},
      "bbox": [${x}, ${y}, ${own.negative ? -w : w}, ${h}], "score": ${score}}`;
  });
  const detections = spoil === 'nothing' ? [] : Array.from({ length: spec.copies }, () => single).flat();
  const gt = `{"images": [${images}], "categories": [${categories}], "annotations": [${annotations}]}`;
  return [gt, `[${detections}]`];
}

const root = mkdtempSync(join(tmpdir(), 'pycocotools-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));

function write(texts: readonly [string, string], index: number): [string, string] {
  return texts.map((text, i) => {
    const path = join(root, `${index}.${i === 0 ? 'gt' : 'dt'}.json`);
    writeFileSync(path, text);
    return path;
  }) as [string, string];
}

async function ours(gt: string, dt: string): Promise<FileEvaluation | UserError> {
  try {
    return await evaluateFiles(gt, dt);
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
}

const test = suite('comparison with pycocotools');

if (isThere()) {
  test('the figures are its own, or the files are refused', async () => {
    const cases = fc.sample(problem, CASES).map(textsOf);
    const paths = cases.map(write);
    const answers = pycocotools(paths);
    const seen = { equal: 0, refused: 0, taken: 0, both: 0 };
    for (const [index, theirs] of answers.entries()) {
      const own = await ours(...paths[index]);
      const told = `${JSON.stringify(theirs)}\n${own instanceof UserError ? own.message : JSON.stringify(own)}\n${cases[index].join('\n').slice(0, 3000)}`;
      if (theirs.error !== undefined && own instanceof UserError) seen.both++;
      else if (theirs.error !== undefined) {
        seen.taken++;
        assert.ok(
          (own as FileEvaluation).notices.some(({ kind }) => TAKEN.includes(kind)),
          told,
        );
      } else if (own instanceof UserError) {
        seen.refused++;
        assert.match(own.message, REFUSED, told);
      } else {
        seen.equal++;
        own.stats.forEach((value, i) => {
          assert.ok(Math.abs((value ?? -1) - theirs.stats[i]) < 1e-9, `${own.names[i]}: ${told}`);
        });
      }
    }
    console.log(`pycocotools: ${JSON.stringify(seen)}`);
    assert.ok(
      Object.values(seen).every((count) => count > 0),
      JSON.stringify(seen),
    );
  });
}

test.run();
