import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { describeHolder, type LockHolder, withLock } from '../../src/base/lock.js';

const test = suite('lock');
const root = mkdtempSync(join(tmpdir(), 'yolox-lock-'));
test.after(() => rmSync(root, { recursive: true }));

/** A process that takes the lock, says so, and holds it until it is killed. */
async function holdElsewhere(path: string) {
  const module = JSON.stringify(resolve(import.meta.dirname, '../../src/base/lock.ts'));
  const program = `
    const { withLock } = await import(${module});
    const forever = setInterval(() => undefined, 1000);
    await withLock(${JSON.stringify(path)}, () => { console.log('held'); return new Promise(() => undefined); });`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: resolve(import.meta.dirname, '../..'),
  });
  await once(child.stdout, 'data');
  return child;
}

test('one at a time, under any spelling of the path', async () => {
  const path = join(root, 'one.lock');
  symlinkSync(root, join(root, 'alias'));
  let inside = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++inside);
    await new Promise((done) => setImmediate(done));
    inside--;
  };
  const spellings = [path, `${root}/./one.lock`, join(root, 'alias', 'one.lock'), path, path];
  await Promise.all(spellings.map((spelling) => withLock(spelling, work)));
  assert.is(most, 1);
  assert.not.ok(existsSync(path));
});

test('what the work throws comes through, and the lock is free again', async () => {
  const path = join(root, 'throws.lock');
  const failing = withLock(path, () => Promise.reject(new Error('of the work')));
  await failing.then(assert.unreachable, (error: Error) => assert.is(error.message, 'of the work'));
  assert.is(await withLock(path, async () => 7), 7);
});

test('who waits is told the holder, and goes on when that is killed', async () => {
  const path = join(root, 'killed.lock');
  const child = await holdElsewhere(path);
  let holder: LockHolder | undefined;
  const waiting = withLock(path, async () => 'mine', {
    onWait(found) {
      holder = found;
      child.kill('SIGKILL');
    },
  });
  assert.is(await waiting, 'mine');
  assert.is(holder?.pid, child.pid);
  assert.match(describeHolder(holder), new RegExp(`^pid ${child.pid} on \\S+ \\(yolox.*\\), since \\d{4}-`));
  assert.not.ok(existsSync(path));
});

test('a lock left by a dead process of this machine is taken at once, whoever has its pid now', async () => {
  const path = join(root, 'left.lock');
  let left = '';
  await withLock(path, async () => {
    left = readFileSync(path, 'utf8');
  });
  writeFileSync(path, left);
  await withLock(path, async () => undefined, { onWait: () => assert.unreachable('waited') });
});

test('a holder on another machine is waited for while it gives signs of life, then taken over', async () => {
  const path = join(root, 'elsewhere.lock');
  const holder: LockHolder = { pid: 1, host: 'elsewhere', command: 'yolox-node run', since: '2026', realm: 'another' };
  writeFileSync(path, JSON.stringify(holder));
  let told: LockHolder | undefined;
  const options = {
    onWait(found: LockHolder | undefined) {
      told = found;
      // Its last sign of life is an hour old from now on.
      const then = new Date(Date.now() - 3_600_000);
      utimesSync(path, then, then);
    },
  };
  await withLock(path, async () => assert.is(JSON.parse(readFileSync(path, 'utf8')).pid, process.pid), options);
  assert.equal(told, holder);
});

test('a lock of which only the name was written is taken over', async () => {
  const path = join(root, 'empty.lock');
  writeFileSync(path, '');
  assert.is(await withLock(path, async () => 'mine'), 'mine');
});

test.run();
