import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { reportFailure } from '../../src/cli/failure.js';
import { yolox } from '../cases/helpers.js';

const test = suite('failures of commands');

/** Exit code and streams of a report. */
function report(error: unknown, ...argv: string[]) {
  const printed = { stdout: '', stderr: '' };
  const { log } = console;
  const { write } = process.stderr;
  console.log = (line: string) => {
    printed.stdout += `${line}\n`;
  };
  process.stderr.write = ((text: string) => {
    printed.stderr += text;
    return true;
  }) as typeof write;
  try {
    return { code: reportFailure(error, argv), ...printed };
  } finally {
    console.log = log;
    process.stderr.write = write;
  }
}

const problem = {
  where: 'a.json',
  field: 'x[3]',
  expected: 'a number',
  received: 'b',
  reason: 'it is text',
  hint: 'Fix it.',
};

test('bad input: a sentence on stderr, with --json one object on stdout, exit code 2', () => {
  const { code, stdout, stderr } = report(new UserError(problem), 'run', '--json');
  const message = 'a.json: x[3]: expected a number, received "b": it is text. Fix it.';
  assert.is(stderr, `yolox-node: ${message}\n`);
  assert.equal(JSON.parse(stdout), { error: { message, ...problem, code: 2 } });
  assert.is(code, 2);
  assert.is(report(new UserError(problem), 'run').stdout, '');
  assert.is(report(new UserError(problem), 'run', '--', '--json').stdout, '');
});

test('a fault of ours is 70, with the stack on demand', () => {
  const bug = new TypeError('x is not a function');
  const { code, stdout, stderr } = report(bug, 'run', '--json');
  assert.is(code, 70);
  assert.not.match(stderr, /^ +at /m);
  assert.equal(JSON.parse(stdout).error.code, 70);
  assert.match(JSON.parse(stdout).error.hint, '--trace');
  assert.match(report(bug, '--trace').stderr, /^ +at /m);
  assert.is(report('a string').code, 70);
});

test('an error of the system about a path is bad input, with its remedy', () => {
  for (const code of ['EACCES', 'ENOENT', 'EEXIST', 'ENOTDIR', 'ENAMETOOLONG', 'EISDIR', 'EROFS', 'ELOOP', 'EMFILE']) {
    const error = Object.assign(new Error(`${code}: no, open '/x/y'`), { code, syscall: 'open', path: '/x/y' });
    const result = report(error, '--json');
    assert.is(result.code, 2, code);
    const { where, hint } = JSON.parse(result.stdout).error;
    assert.is(where, '/x/y');
    assert.ok(hint.length > 10, code);
  }
});

test('values that JSON does not hold, and endless ones', () => {
  const circle: { self?: object } = {};
  circle.self = circle;
  for (const received of [circle, 10n, 'x'.repeat(1e6), Number.NaN]) {
    const { stdout } = report(new UserError({ expected: 'x', received }), '--json');
    assert.ok(stdout.length < 3000);
    assert.is(JSON.parse(stdout).error.code, 2);
  }
});

test('every kind of misuse ends stdout with the error', async () => {
  for (const [argv, where] of [
    [['servee'], 'servee'],
    [['run', '--epochz', '3'], '--epochz'],
    [['predict', 'x.jpg', '--bundle', '/no/such/bundle'], '/no/such/bundle/bundle.json'],
  ] as const) {
    const { code, stdout, stderr } = await yolox([...argv, '--json']);
    assert.is(code, 2, stderr);
    const { error } = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
    assert.equal([error.code, error.where], [2, where]);
    assert.match(stderr, error.message);
  }
});

test.run();
