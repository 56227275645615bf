import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const root = resolve(import.meta.dirname, '../..');
const runner = join(root, 'scripts/test/runner.mjs');

const test = suite('test runner');

const passing = "import { test } from 'uvu';\ntest('one', () => {});\ntest.run();\n";

/** Runs the runner over a project made of `files`; returns its exit code, output and last line. */
function runOn(files: Record<string, string>, filters: string[] = [], options = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'yolox-runner-'));
  try {
    symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'));
    for (const [name, source] of Object.entries(files)) {
      mkdirSync(dirname(join(dir, 'test', name)), { recursive: true });
      writeFileSync(join(dir, 'test', name), source);
    }
    const call = [dir, filters, options].map((value) => JSON.stringify(value)).join(', ');
    const script = `import { runTests } from '${runner}'; process.exitCode = (await runTests(${call})) ? 0 : 1;`;
    const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    return { status, stdout, last: stdout.trimEnd().split('\n').at(-1) };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test('sums what passed, failed and was skipped, and shows the reasons', () => {
  const { status, stdout, last } = runOn({
    'a/good.test.ts': passing,
    'a/bad.test.ts':
      "import { test } from 'uvu';\ntest('good', () => {});\ntest('bad', () => { throw new Error('broken wing'); });\ntest.run();\n",
    'b/skipping.test.ts':
      "import { suite } from 'uvu';\nconst s = suite('x');\nconsole.log('skipped: x needs a photo');\ns.skip('one', () => {});\ns.run();\n",
    'b/no_files.test.ts':
      "import { suite } from 'uvu';\nconst s = suite('y');\nconsole.log('skipped: y needs golden files');\ns.run();\n",
  });
  assert.is(last, '2 passed, 1 failed, 2 skipped');
  assert.is(status, 1);
  assert.match(stdout, 'broken wing');
  assert.match(stdout, 'skipped: x needs a photo');
  assert.match(stdout, 'skipped: y needs golden files');
});

test('a filter chooses files by their path', () => {
  const files = { 'a/one.test.ts': passing, 'golden/two.test.ts': passing };
  const chosen = runOn(files, ['golden']);
  assert.is(chosen.last, '1 passed, 0 failed, 0 skipped');
  assert.is(chosen.status, 0);
  assert.is(runOn(files, ['nothing']).status, 1);
});

test('tests that would never run are failures', () => {
  const cases: [name: string, source: string, expected: string][] = [
    [
      'idle.test.ts',
      "import { suite } from 'uvu';\nconst idle = suite('x');\nidle('one', () => {});\n",
      'lacks idle.run()',
    ],
    ['empty.test.ts', "import { test } from 'uvu';\ntest.run();\n", 'ran no tests'],
    ['foreign.test.ts', 'console.log(1);\n', 'before its summary'],
    ['misnamed.ts', passing, 'does not end in .test.ts'],
    ['chosen.test.ts', "import { test } from 'uvu';\ntest.only('one', () => {});\ntest.run();\n", 'marked "only"'],
  ];
  for (const [name, source, expected] of cases) {
    const { status, stdout, last } = runOn({ 'good.test.ts': passing, [name]: source });
    assert.is(status, 1, name);
    assert.match(stdout, expected);
    assert.match(last ?? '', /^1 passed, [12] failed|^2 passed, 1 failed/);
  }
});

test('a test process that crashes, leaves early or hangs is a failure', () => {
  const body = (statement: string) =>
    `import { test } from 'uvu';\ntest('one', async () => { ${statement} });\ntest.run();\n`;
  const cases: [statement: string, expected: string][] = [
    ['process.abort();', 'was ended by SIGABRT'],
    ['process.exit(0);', 'before its summary'],
    ['process.on("exit", () => { process.exitCode = 3; });', 'ended with exit code 3'],
    ['await new Promise((resolve) => setTimeout(resolve, 2 ** 31 - 1));', 'did not end within 1.5 s'],
  ];
  for (const [statement, expected] of cases) {
    // Only what hangs must meet the limit: starting a process may take longer than that.
    const limit = expected.startsWith('did not end') ? { timeoutMs: 1500 } : {};
    const { status, stdout } = runOn({ 'x.test.ts': body(statement) }, [], limit);
    assert.is(status, 1, statement);
    assert.match(stdout, expected);
  }
});

test.run();
