import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const root = resolve(import.meta.dirname, '../..');
const scripts = join(root, 'scripts/setup');
const load = (name: string) => import(join(scripts, name));

const test = suite<{ dir: string }>('set-up');

test.before.each((context) => {
  context.dir = mkdtempSync(join(tmpdir(), 'yolox-setup-'));
});
test.after.each(({ dir }) => rmSync(dir, { recursive: true }));

/** Starts a process that holds the set-up lock of `dir` until it is killed; resolves when it holds it. */
async function holdLock(dir: string) {
  const script = `import { withLock } from '${scripts}/lock.mjs';
    await withLock('${dir}', () => new Promise((resolve) => { console.log('held'); setTimeout(resolve, 60_000); }));`;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  return holder;
}

test('the lock lets one set-up work at a time and goes with a killed holder', async ({ dir }) => {
  const { withLock } = await load('lock.mjs');
  const holder = await holdLock(dir);
  let entered = false;
  const waiting = withLock(dir, () => {
    entered = true;
    return 'done';
  });
  assert.is(await withLock(`${dir}/other`, () => 'free'), 'free');
  assert.not(entered);
  holder.kill('SIGKILL');
  assert.is(await waiting, 'done');
});

test('unfinished work of a killed set-up is swept, that of a living one is kept', async ({ dir }) => {
  const { sweepStaging, withStaging } = await load('staging.mjs');
  const { pid } = spawnSync('true');
  mkdirSync(join(dir, `staging-${hostname()}-${pid}-abcdef`));
  await withStaging(dir, async (own: string) => {
    await sweepStaging(dir);
    assert.ok(existsSync(own));
    assert.not(existsSync(join(dir, `staging-${hostname()}-${pid}-abcdef`)));
  });
});

/** A wheel holding `members`; zipfile writes it, as it will read it. */
function makeWheel(dir: string, members: Record<string, string>) {
  const wheel = join(dir, 'some.whl');
  const script =
    'import json, sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], "w") as z:\n  for n, t in json.loads(sys.argv[2]).items(): z.writestr(n, t)';
  assert.is(spawnSync('python3', ['-c', script, wheel, JSON.stringify(members)]).status, 0);
  return wheel;
}

const extract = (wheel: string, target: string, rules: object) =>
  spawnSync('python3', [join(scripts, 'extract.py'), wheel, target, JSON.stringify(rules)], { encoding: 'utf8' });

test('only the wanted files leave a wheel, under their new names', ({ dir }) => {
  const members = {
    'tf/libtf.so.2': 'library',
    'tf/include/c/api.h': 'header',
    'tf/include/x.py': 'no',
    'tf/other.so': 'no',
  };
  const target = join(dir, 'out');
  const { status, stdout } = extract(makeWheel(dir, members), target, {
    'tf/libtf.so.2': 'lib/libtf.so.2',
    'tf/include/': 'include/',
  });
  assert.is(status, 0);
  assert.is(readFileSync(join(target, 'lib/libtf.so.2'), 'utf8'), 'library');
  assert.is(readFileSync(join(target, 'include/c/api.h'), 'utf8'), 'header');
  assert.not(existsSync(join(target, 'include/x.py')));
  assert.is(stdout.trim().split('\n').at(-1), String('library'.length + 'header'.length));
});

test('a damaged wheel is refused', ({ dir }) => {
  const wheel = makeWheel(dir, { 'tf/libtf.so.2': 'library' });
  const bytes = readFileSync(wheel);
  bytes[bytes.indexOf('library')] ^= 1;
  writeFileSync(wheel, bytes);
  const { status, stderr } = extract(wheel, join(dir, 'out'), { 'tf/libtf.so.2': 'lib/libtf.so.2' });
  assert.is(status, 1);
  assert.match(stderr, 'Bad CRC-32');
});

test('too little disk space is told before anything is fetched', async ({ dir }) => {
  const { checkDisk } = await load('platform.mjs');
  await checkDisk([[join(dir, 'small'), 1]]);
  const huge = checkDisk([
    [dir, 9e14],
    [join(dir, 'cache'), 9e14],
  ]);
  await huge.then(assert.unreachable, (error: Error) => {
    assert.is(error.name, 'SetupError');
    assert.match(error.message, /expected 1800000000 MB of free disk space, found \d+ MB/);
    assert.match(error.message, 'YOLOX_CACHE');
  });
});

for (const cache of ['/proc/yolox', '/dev/null/cache', '/dev/null']) {
  test(`a cache at ${cache} is refused at once, with the remedy`, () => {
    const env = { ...process.env, YOLOX_CACHE: cache };
    const { stderr, status } = spawnSync(process.execPath, [join(root, 'scripts/setup.mjs')], {
      env,
      encoding: 'utf8',
    });
    assert.is(status, 2);
    assert.match(stderr, /^error: \/\S+: expected a folder that can be created and written to.* Set YOLOX_CACHE/m);
  });
}

test('the space needed covers every missing wheel unpacked and the largest one twice', async () => {
  const { bytesNeeded } = await load('wheels.mjs');
  assert.is(bytesNeeded([]), 0);
  assert.is(
    bytesNeeded([
      { file: 'a.whl', size: 10, unpacked: 30 },
      { file: 'b.whl', size: 20, unpacked: 50 },
    ]),
    120,
  );
});

/** Runs set-up in a fresh clone with an empty cache, with `dir` as the PATH. */
function setUpIn(dir: string, args: string[] = []) {
  const clone = join(dir, 'clone');
  mkdirSync(clone);
  for (const name of ['scripts', 'package.json', 'package-lock.json']) spawnSync('cp', ['-r', join(root, name), clone]);
  const env = { PATH: dir, HOME: dir, YOLOX_CACHE: join(dir, 'cache') };
  return spawnSync(process.execPath, ['scripts/setup.mjs', ...args], { cwd: clone, env, encoding: 'utf8' });
}

for (const [tool, present, expected] of [
  ['python3', [], /^error: python3 was not found.*apt-get install -y python3 python3-pip$/m],
  ['g++', ['python3'], /^error: g\+\+ was not found.*apt-get install -y g\+\+$/m],
] as const) {
  test(`without ${tool} set-up says so with the remedy and touches nothing`, ({ dir }) => {
    const python = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], {
      encoding: 'utf8',
    }).stdout.trim();
    if (present.length > 0) symlinkSync(python, join(dir, 'python3'));
    const { status, stderr } = setUpIn(dir);
    assert.is(status, 2);
    assert.match(stderr, expected);
    assert.not(existsSync(join(dir, 'clone/node_modules')));
  });
}

test('flags that contradict each other or are unknown are refused', ({ dir }) => {
  const both = setUpIn(dir, ['--cpu', '--cuda']);
  assert.is(both.status, 2);
  assert.match(both.stderr, 'error: Expected one of --cuda and --cpu, received both.');
  rmSync(join(dir, 'clone'), { recursive: true });
  const unknown = setUpIn(dir, ['--gpu']);
  assert.is(unknown.status, 2);
  assert.match(unknown.stderr, /^error: Unknown option '--gpu'/);
  rmSync(join(dir, 'clone'), { recursive: true });
  const twice = setUpIn(dir, ['--cpu', '--cpu', '--json']);
  assert.is(twice.status, 2);
  const message = 'Expected --cpu once, received it twice.';
  assert.match(twice.stderr, message);
  assert.equal(JSON.parse(twice.stdout), { error: { message, code: 2 } });
});

/** Ends a process in which `prepare` has run before a script of set-up. */
const nodeWith = (prepare: string, script: string) =>
  spawnSync(process.execPath, ['-e', `${prepare}; require(${JSON.stringify(join(scripts, script))});`], {
    encoding: 'utf8',
  });

test('TensorFlow computes where util lacks what tfjs-node asks of it, as in Node 23 and later', () => {
  const { status, stdout, stderr } = nodeWith("delete require('util').isNullOrUndefined", 'check_tensorflow.cjs');
  assert.is(status, 0, stderr);
  assert.match(stdout, /^\{"version":/);
  assert.not.match(stderr, 'DeprecationWarning');
});

for (const [version, fits] of [
  ['18.20.8', false],
  ['20.18.3', false],
  ['20.19.0', true],
  ['22.23.3', true],
  ['24.21.0', true],
  ['26.10.0', true],
] as const) {
  test(`Node ${version} is ${fits ? 'taken' : 'refused in one line'}`, () => {
    const script = `Object.defineProperty(process.versions, 'node', { value: '${version}' });
      (await import('${scripts}/node_version.mjs')).requireNode();`;
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    assert.is(status, fits ? 0 : 2);
    if (!fits) assert.match(stderr, /^error: Node: expected 20\.19 or later, received .*\n$/);
  });
}

test.run();
