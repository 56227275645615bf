import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { explainFileError } from '../../src/base/file_errors.js';
import {
  makeDir,
  readBytes,
  readHead,
  readJson,
  readText,
  sha256,
  sha256File,
  writeAtomic,
  writeJson,
} from '../../src/base/files.js';

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

/** Works as a user without rights: tests may run as root, who may do anything. */
async function asOrdinaryUser<T>(work: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return work();
  process.seteuid?.(65534);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}

async function refusal(work: Promise<unknown>): Promise<UserError['problem']> {
  try {
    await work;
  } catch (error) {
    assert.instance(error, UserError, String(error));
    return (error as UserError).problem;
  }
  assert.unreachable('went through');
  throw new Error();
}

test('a pipe or a device is left where it is', async () => {
  const pipe = join(dir, 'pipe');
  execFileSync('mkfifo', [pipe]);
  for (const path of [pipe, '/dev/null']) {
    assert.match((await refusal(writeAtomic(path, 'x'))).reason as string, /a device, pipe or socket/);
    // Nothing writes to the pipe: reading it would wait for ever.
    assert.match((await refusal(readBytes(path))).reason as string, /a device, pipe or socket/);
    assert.is((await readHead(path, 16)).length, 0);
    assert.not.ok(statSync(path).isFile());
  }
});

test('a URL in the place of a path is told', async () => {
  assert.match((await refusal(readText('https://example.com/w.pth'))).hint as string, /It is a URL: download it/);
});

test('a name as long as names can be is written and read, also over itself', async () => {
  const path = join(dir, 'é'.repeat(127).concat('x'));
  await writeAtomic(path, 'old');
  await writeAtomic(path, 'new');
  assert.is(await readText(path), 'new');
  assert.equal(
    readdirSync(dir).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

test('a longer name or path is named with its bytes', async () => {
  const long = await refusal(writeAtomic(join(dir, 'é'.repeat(128)), ''));
  assert.match(long.expected, /at most 255 bytes/);
  assert.match(long.hint as string, /name has 256 bytes/);
  const deep = join(dir, 'folder/'.repeat(600));
  assert.match((await refusal(makeDir(deep))).hint as string, new RegExp(`path has ${Buffer.byteLength(deep)} bytes`));
});

test('a folder is made with those above it, by several at once', async () => {
  const path = join(dir, 'made/by/many/at once');
  await Promise.all(Array.from({ length: 20 }, () => makeDir(path)));
  await makeDir(path);
  assert.equal(readdirSync(join(dir, 'made/by/many')), ['at once']);
});

test('a folder that cannot be made is an error that names what is in the way', async () => {
  const file = join(dir, 'a file');
  writeFileSync(file, '');
  const within = await refusal(makeDir(join(file, 'b/c')));
  assert.equal([within.where, within.received], [join(file, 'b/c'), 'ENOTDIR']);
  assert.match(within.hint as string, `${file} is not a folder`);
  assert.match((await refusal(makeDir(file))).hint as string, 'There is a file of that name');
  // Node's own recursive mkdir never ends on these.
  for (const path of ['/proc/yolox', '/proc/yolox/deeper/still']) {
    assert.match((await refusal(makeDir(path))).hint as string, '/proc takes no folders');
  }
  assert.match((await refusal(makeDir('/dev/null/x'))).hint as string, '/dev/null is not a folder');
  assert.match((await refusal(makeDir('a\0b'))).expected, 'without null bytes');
});

test('a missing folder, a folder, a circle of links and rights are each said with the remedy', async () => {
  const absent = await refusal(writeAtomic(join(dir, 'absent/deep/file'), ''));
  assert.equal([absent.received, absent.hint], ['ENOENT', `There is no ${join(dir, 'absent')}.`]);
  assert.is((await refusal(readText(dir))).received, 'EISDIR');
  assert.is((await refusal(sha256File(dir))).received, 'EISDIR');
  assert.is((await refusal(writeAtomic(dir, ''))).where, dir);
  symlinkSync('circle', join(dir, 'circle'));
  assert.match((await refusal(readText(join(dir, 'circle')))).hint as string, 'leads back to itself');

  const closed = join(dir, 'closed');
  mkdirSync(closed);
  writeFileSync(join(closed, 'file'), 'mine');
  chmodSync(closed, 0o700);
  chmodSync(dir, 0o755);
  if (process.geteuid?.() !== 0) chmodSync(closed, 0);
  const refusals = [
    () => writeAtomic(join(closed, 'new'), ''),
    () => makeDir(join(closed, 'new')),
    () => readText(join(closed, 'file')),
    () => sha256File(join(closed, 'file')),
  ];
  for (const work of refusals) {
    const { received, hint } = await asOrdinaryUser(() => refusal(work()));
    assert.is(received, 'EACCES');
    assert.match(hint as string, /ls -ld.*this is user \d+/);
  }
  chmodSync(closed, 0o700);
});

test('of errors of the system those about files are explained, and no others', () => {
  const systemError = (facts: object) => Object.assign(new Error('x'), facts);
  for (const code of ['ENOSPC', 'EROFS', 'EMFILE', 'EBUSY', 'EIO', 'EXDEV', 'ERR_FS_FILE_TOO_LARGE']) {
    const explained = explainFileError(systemError({ code, syscall: 'open', path: '/some/file' }));
    assert.instance(explained, UserError);
    assert.match((explained as UserError).message, '/some/file');
  }
  const others = [
    systemError({ code: 'EACCES', syscall: 'listen', address: '::', port: 80 }),
    systemError({ code: 'ENOENT', syscall: 'spawn git', path: 'git' }),
    systemError({ code: 'ENOENT' }),
    systemError({ code: 'ECONNREFUSED', syscall: 'connect', path: '/socket' }),
    new UserError({ where: 'file', expected: 'something else' }),
    new TypeError('a fault of ours'),
    'no error at all',
  ];
  for (const other of others) assert.is(explainFileError(other), other);
});

test.run();
