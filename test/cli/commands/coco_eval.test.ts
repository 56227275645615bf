import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { cocoEvalCommand } from '../../../src/cli/commands/coco_eval.js';
import { runCommandLine } from '../../../src/cli/parser.js';

const root = mkdtempSync(join(tmpdir(), 'coco-eval-cli-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));

function write(name: string, content: unknown): string {
  const path = join(root, name);
  writeFileSync(path, JSON.stringify(content));
  return path;
}

const object = { image_id: 1, category_id: 3, bbox: [0, 0, 50, 50] };
const gt = write('gt.json', {
  images: [{ id: 1, file_name: '1.jpg', width: 100, height: 100 }],
  categories: [{ id: 3, name: 'bicycle' }],
  annotations: [{ ...object, id: 1, area: 2500, iscrowd: 0 }],
});
const dt = write('dt.json', [{ ...object, score: 0.5 }]);

/** What the command prints. */
async function run(...args: string[]): Promise<string> {
  const lines: string[] = [];
  const { log } = console;
  console.log = (line: string) => lines.push(line);
  try {
    await runCommandLine(['coco-eval', ...args], [cocoEvalCommand]);
  } finally {
    console.log = log;
  }
  return lines.join('\n');
}

const test = suite('yolox-node coco-eval');

test('--json prints one object', async () => {
  const { map, map50, stats, names, per_category } = JSON.parse(await run('--gt', gt, '--dt', dt, '--json'));
  assert.equal(
    [map, map50].map((value) => value.toFixed(9)),
    ['1.000000000', '1.000000000'],
  );
  assert.is(stats.length, 12);
  assert.is(stats[3], null);
  assert.is(names[1], 'AP50');
  assert.is(per_category[3].name, 'bicycle');
});

test('without it, a table', async () => {
  const text = await run('--gt', gt, '--dt', dt);
  assert.match(text, /AP50 +1\.0000/);
  assert.match(text, /APs +–/);
  assert.match(text, /bicycle +1\.0000 +1\.0000 +1\.0000 +1$/);
});

test('what does not count is told, and an error with --strict', async () => {
  const stray = write('stray.json', [
    { ...object, score: 0.5 },
    { ...object, category_id: 4, score: 0.9 },
  ]);
  const { map, notices } = JSON.parse(await run('--gt', gt, '--dt', stray, '--json'));
  assert.is(map.toFixed(9), '1.000000000');
  assert.equal(
    notices.map(({ kind, count }: { kind: string; count: number }) => [kind, count]),
    [['unknownDetectedCategory', 1]],
  );
  try {
    await run('--gt', gt, '--dt', stray, '--strict');
    assert.unreachable();
  } catch (error) {
    assert.match((error as UserError).message, '1 unknownDetectedCategory');
  }
});

test('swapped files are told apart', async () => {
  try {
    await run('--gt', dt, '--dt', gt);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, UserError);
  }
});

test.run();
