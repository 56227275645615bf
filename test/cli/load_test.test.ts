import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import yargs from 'yargs';
import { loadTestCommand } from '../../src/cli/load_test.js';
import { withLocalServer } from '../loadtest/local_server.js';

const test = suite('yolox load-test');
const root = mkdtempSync(join(tmpdir(), 'load-test-cli-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));
const image = join(root, 'picture.jpg');
writeFileSync(image, 'picture');
const quick = ['--image', image, '--duration', '0.3', '--warm-up', '0'];

/** What the command prints. */
async function run(...args: string[]): Promise<string> {
  const lines: string[] = [];
  const { log } = console;
  console.log = (line: string) => lines.push(line);
  try {
    await yargs(['load-test', ...args])
      .command(loadTestCommand)
      .fail(false)
      .exitProcess(false)
      .parseAsync();
  } finally {
    console.log = log;
  }
  return lines.join('\n');
}

const fast = (handler: (url: string) => Promise<void>) => withLocalServer((_, response) => response.end('{}'), handler);

test('a sweep writes its result and report, and is the baseline of the next', () =>
  fast(async (url) => {
    const out = join(root, 'out');
    const sweep = [url, ...quick, '--mode', 'sweep', '--concurrency', '1', '2'];
    const { runs } = JSON.parse(await run(...sweep, '--out', out, '--json'));
    assert.equal(
      runs.map((one: { load: object }) => one.load),
      [
        { mode: 'closed', concurrency: 1 },
        { mode: 'closed', concurrency: 2 },
      ],
    );
    assert.ok(existsSync(join(out, 'report.html')));

    const file = join(out, 'result.json');
    assert.match(await run(...sweep, '--baseline', file), /against the baseline, closed, 2 in flight: throughput/);
    assert.is(process.exitCode, undefined);
    const better = JSON.parse(readFileSync(file, 'utf8'));
    for (const one of better.runs) one.goodput *= 1000;
    writeFileSync(file, JSON.stringify(better));
    const { passed } = JSON.parse(await run(...sweep, '--baseline', file, '--gate', '0.5', '--json'));
    const { exitCode } = process;
    process.exitCode = undefined;
    assert.equal([passed, exitCode], [false, 1]);
  }));

test('by the clock', () =>
  fast(async (url) => {
    const { runs } = JSON.parse(
      await run(url, ...quick, '--mode', 'open', '--rate', '50', '--arrivals', 'constant', '--json'),
    );
    assert.is(runs[0].requests, 15);
  }));

test('a search finds no rate under an impossible limit', () =>
  fast(async (url) => {
    const search = [url, ...quick, '--mode', 'slo', '--rate', '80', '--p99', '0.001'];
    const { slo, runs } = JSON.parse(await run(...search, '--json'));
    assert.equal(slo, { p99_ms: 0.001, rate: 0 });
    assert.equal(
      runs.map((one: { load: { rate: number } }) => one.load.rate),
      [80, 40],
    );
  }));

test('sends multipart and headers', async () => {
  const types = new Set<string>();
  await withLocalServer(
    (request, response) => {
      types.add(`${request.headers['x-api-key']} ${request.headers['content-type']?.split(';')[0]}`);
      response.end();
    },
    async (url) => {
      await run(url, ...quick, '--form', 'file', '--header', 'X-API-Key: abc');
    },
  );
  assert.equal([...types], ['abc multipart/form-data']);
});

const misuses: [string, string[], RegExp][] = [
  ['an address that is none', ['nowhere'], /url: expected an http or https address, received "nowhere"/],
  ['a picture that is not there', ['http://127.0.0.1:9/', '--image', 'absent.jpg'], /absent\.jpg/],
  ['a rate of nothing', ['http://127.0.0.1:9/', '--mode', 'open', '--rate', '0'], /--rate: expected a number above 0/],
  ['a header without a name', ['http://127.0.0.1:9/', '--header', 'abc'], /--header/],
  ['a server that is not there', ['http://127.0.0.1:9/'], /expected an answer of status 200 to 299.*ECONNREFUSED/],
];

for (const [title, args, message] of misuses) {
  test(`${title} is refused`, async () => {
    const error = await run(...args, ...quick).then(
      () => undefined,
      (thrown) => thrown,
    );
    assert.match(error?.message ?? '', message);
  });
}

test.run();
