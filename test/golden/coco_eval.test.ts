import { basename } from 'node:path';
import * as assert from 'uvu/assert';
import { readJson } from '../../src/base/files.js';
import type { Figure } from '../../src/data/coco_eval/accumulate.js';
import { evaluateFiles } from '../../src/data/coco_eval/evaluate_files.js';
import { golden, shared, suiteNeeding } from '../support/shared.js';

interface Expected {
  stats: number[];
  names: string[];
  per_category: Record<string, { ap: number; ap50: number; ar100: number }>;
}

/** pycocotools writes −1 where there is nothing to measure. */
function assertNear(figure: Figure, expected: number, what: string): void {
  const received = figure ?? -1;
  assert.ok(Math.abs(received - expected) <= 1e-6, `${what}: expected ${expected}, received ${received}`);
}

const cases = golden(/^coco_.*\.expected\.json$/);
const goldenCases = suiteNeeding('golden COCO metrics', cases);

for (const path of cases) {
  goldenCases(basename(path), async () => {
    const expected = await readJson<Expected>(path);
    const [gt, dt] = ['gt', 'dt'].map((kind) => path.replace(/expected\.json$/, `${kind}.json`));
    const { stats, names, per_category } = await evaluateFiles(gt, dt);
    assert.equal(names, expected.names);
    names.forEach((name, i) => {
      assertNear(stats[i], expected.stats[i], name);
    });
    assert.equal(Object.keys(per_category), Object.keys(expected.per_category));
    for (const [id, figures] of Object.entries(expected.per_category)) {
      for (const key of ['ap', 'ap50', 'ar100'] as const) {
        assertNear(per_category[id][key], figures[key], `${key} of category ${id}`);
      }
    }
  });
}

goldenCases.run();

/** Ground truth, detections, and AP, AP50 and AP75 as published with them, to six digits. */
const PUBLISHED: [name: string, gt: string, dt: string, aps: number[]][] = [
  [
    'cocoapi, 100 images of val2014',
    shared('eval/cocoapi_val2014_100/instances_val2014_100.json'),
    shared('eval/cocoapi_val2014_100/instances_val2014_fakebbox100_results.json'),
    [0.504581, 0.696973, 0.572982],
  ],
  [
    'faster-coco-eval, crowds',
    shared('eval/faster_coco_eval/gt_ignore_test.intids.json'),
    shared('eval/faster_coco_eval/dt_ignore_test.min0.1.json'),
    [0.709901],
  ],
  [
    'faster-coco-eval, 3 images',
    shared('eval/faster_coco_eval/gt_dataset.json'),
    shared('eval/faster_coco_eval/dt_dataset.json'),
    [0.694719],
  ],
];

const published = suiteNeeding(
  'published COCO metrics',
  PUBLISHED.flatMap(([, gt, dt]) => [gt, dt]),
);

for (const [name, gt, dt, aps] of PUBLISHED) {
  published(name, async () => {
    const { stats } = await evaluateFiles(gt, dt);
    aps.forEach((ap, i) => {
      assertNear(stats[i], ap, `stats[${i}]`);
    });
  });
}

published.run();
