import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { TrainingLog } from '../../../src/pipeline/training/log.js';

const root = mkdtempSync(join(tmpdir(), 'training-log-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));

/** Text of TensorBoard's event files: tags stand in them as they are. */
function board(dir: string): string {
  const folder = join(dir, 'tensorboard');
  return readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'latin1'))
    .join('');
}

const test = suite('training log');

for (const [map, points] of [
  [0.5, true],
  [null, false],
] as const) {
  test(`an AP of ${map} is ${points ? 'a point' : 'no point'} in TensorBoard`, async () => {
    const dir = join(root, String(map));
    mkdirSync(dir);
    const log = await TrainingLog.open(dir, 0);
    log.write({ event: 'validation', epoch: 1, map, map50: map, stats: new Array(12).fill(map) }, 10);
    log.flush();
    assert.match(board(dir), 'validation/epoch');
    assert.is(board(dir).includes('validation/map'), points);
  });
}

test.run();
