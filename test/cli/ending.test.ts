import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { familyOf } from '../serve/fuzz/processes.js';
import { makeBundle } from '../serve/make_bundle.js';

const test = suite('how commands end');
const root = mkdtempSync(join(tmpdir(), 'yolox-ending-'));
const cli = resolve(import.meta.dirname, '../../bin/yolox.mjs');
test.after(() => rmSync(root, { recursive: true, force: true }));

const TRAINING = [
  ...['--data.builtin.images', '16', '--data.builtin.side', '96', '--model.width', '0.125'],
  ...['--model.preprocess.size', '[64, 64]', '--batch', '2', '--train.workers', '2', '--train.multiscale', '0'],
];

interface Program {
  child: ChildProcess;
  /** What it has written to stderr. */
  said: () => string;
  ended: Promise<[number | null, NodeJS.Signals | null]>;
}

function start(args: readonly string[], preload?: string): Program {
  const imports = preload ? ['--import', `data:text/javascript,${encodeURIComponent(preload)}`] : [];
  const child = spawn(process.execPath, [...imports, cli, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stderr.on('data', (data) => {
    text += data;
  });
  child.stdout.resume();
  return { child, said: () => text, ended: once(child, 'exit') as Program['ended'] };
}

/** Polls, since files and processes tell nobody; fails when the program ends meanwhile. */
async function until({ child, said }: Program, isTrue: () => boolean): Promise<void> {
  while (!isTrue()) {
    assert.is(child.exitCode, null, said());
    await new Promise((done) => setTimeout(done, 20));
  }
}

const gone = async (pid: number) => {
  while (existsSync(`/proc/${pid}`)) await new Promise((done) => setTimeout(done, 20));
};

const trainingLog = (store: string) => {
  const steps = join(store, 'default/model-train');
  const [run] = existsSync(steps) ? readdirSync(steps) : [];
  const log = join(steps, String(run), 'log.jsonl');
  return existsSync(log) ? readFileSync(log, 'utf8') : '';
};

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${signal} in training ends it with ${code} and not a word of a stack`, async () => {
    const store = join(root, signal);
    const program = start(['model-train', '--store', store, '--epochs', '500', ...TRAINING]);
    await until(program, () => trainingLog(store).includes('"step"'));
    program.child.kill(signal);
    assert.equal(await program.ended, [code, null]);
    assert.not.match(program.said(), /^\s+at |Error/m);
  });
}

test('SIGTERM while the service is tested ends the server and its model, too', async () => {
  const store = join(root, 'run');
  const test = ['--test.seconds', '60', '--test.warmupSeconds', '0'];
  const program = start(['model-test', '--store', store, '--epochs', '1', ...TRAINING, ...test]);
  await until(program, () => program.said().includes('the server is ready'));
  const family = familyOf(program.child.pid as number);
  assert.ok(family.length >= 3, 'the command, the server and its model');
  program.child.kill('SIGTERM');
  assert.equal(await program.ended, [143, null]);
  for (const pid of family) await gone(pid);
});

test('output that nobody reads any more ends a command quietly', async () => {
  const program = start(['coco-eval', '--help']);
  program.child.stdout?.destroy();
  assert.equal(await program.ended, [141, null]);
  assert.is(program.said(), '');
});

for (const [what, fault] of [
  ['an error that nothing catches', "throw new Error('planted')"],
  ['a rejection that nothing handles', "void Promise.reject(new Error('planted'))"],
] as const) {
  test(`${what} ends a service with 70, one line and no process left`, async () => {
    const bundle = await makeBundle();
    const preload = `process.on('SIGUSR2', () => { ${fault}; });`;
    const program = start(['serve', bundle, '--port', '0', '--serve.logLevel', 'silent'], preload);
    await once(program.child.stdout as NodeJS.ReadableStream, 'data');
    const family = familyOf(program.child.pid as number);
    // Nor a model that stands still.
    for (const pid of family.slice(1)) process.kill(pid, 'SIGSTOP');
    program.child.kill('SIGUSR2');
    assert.equal(await program.ended, [70, null]);
    assert.is(
      program.said(),
      'yolox-node: planted\nThis is a fault of yolox-node; run again with --trace for its stack trace.\n',
    );
    for (const pid of family) await gone(pid);
    rmSync(bundle, { recursive: true });
  });
}

test.run();
