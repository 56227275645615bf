import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readJson, sha256, sha256File, writeAtomic, writeJson } from '../../src/base/files.js';

const test = suite('files');
const dir = mkdtempSync(join(tmpdir(), 'yolox-files-'));
const source = (path: string) => JSON.stringify(resolve(import.meta.dirname, '../../src', path));

/** Runs a program whose files may not grow beyond `kilobytes`: to a writer the same as a full disk. */
function runOnFullDisk(kilobytes: number, program: string) {
  const script = join(dir, 'program.mts');
  writeFileSync(script, program);
  const command = `ulimit -f ${kilobytes}; exec "${process.execPath}" --import tsx "${script}"`;
  return spawnSync('bash', ['-c', command], { encoding: 'utf8', cwd: resolve(import.meta.dirname, '../..') });
}

test('what is written is read back', async () => {
  const path = join(dir, 'value.json');
  await writeJson(path, { a: [1, null, 'é'] });
  assert.equal(await readJson(path), { a: [1, null, 'é'] });
  assert.is(await sha256File(path), sha256(readFileSync(path)));
  const bytes = new Uint8Array([1, 2, 3, 4]).subarray(1, 3);
  await writeAtomic(path, bytes);
  assert.equal([...readFileSync(path)], [2, 3]);
});

test('a full disk while writing a checkpoint: the old one stays, nothing is left over, one clear error', () => {
  const folder = mkdtempSync(join(dir, 'checkpoint-'));
  const path = join(folder, 'last.safetensors');
  const weights = (size: number) => `new Map([['w', { shape: [${size}], data: new Float32Array(${size}) }]])`;
  // The signal would end the process; handled, the write fails as on a full disk.
  const program = (size: number) => `
    process.on('SIGXFSZ', () => undefined);
    import { writeSafetensors } from ${source('model/weights/safetensors.ts')};
    try { await writeSafetensors(${JSON.stringify(path)}, ${weights(size)}); }
    catch (error) { console.log(error.name, error.message); process.exitCode = 2; }`;
  assert.is(runOnFullDisk(10_000, program(100)).status, 0);
  const before = readFileSync(path);
  const { status, stdout } = runOnFullDisk(1000, program(1_000_000));
  assert.is(status, 2);
  assert.match(stdout, /UserError .*last\.safetensors: expected free disk space, received "EFBIG"/);
  assert.equal(readdirSync(folder), ['last.safetensors']);
  assert.ok(readFileSync(path).equals(before));
});

test('a file that is missing or not JSON is a UserError naming it', async () => {
  const path = join(dir, 'broken.json');
  writeFileSync(path, '{');
  for (const name of [path, join(dir, 'absent.json')]) {
    try {
      await readJson(name);
      assert.unreachable();
    } catch (error) {
      assert.is((error as Error).name, 'UserError');
      assert.match((error as Error).message, name);
    }
  }
});

test.run();
