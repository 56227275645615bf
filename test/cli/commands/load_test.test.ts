import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { loadTestCommand } from '../../../src/cli/commands/load_test.js';
import { runCommandLine } from '../../../src/cli/parser.js';
import { withLocalServer } from '../../loadtest/local_server.js';

const test = suite('yolox-node load-test');
const root = mkdtempSync(join(tmpdir(), 'load-test-cli-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));
const image = join(root, 'image.jpg');
writeFileSync(image, 'image');
const brief = ['--image', image, '--warm-up', '0'];
const quick = [...brief, '--duration', '0.3'];

/** What the command prints. */
async function run(...args: string[]): Promise<string> {
  const lines: string[] = [];
  const { log } = console;
  console.log = (line: string) => lines.push(line);
  try {
    await runCommandLine(['load-test', ...args], [loadTestCommand]);
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

test('a baseline of another load is refused before anything is sent', () =>
  fast(async (url) => {
    const out = join(root, 'closed');
    await run(url, ...quick, '--out', out);
    const file = join(out, 'result.json');
    const other = ['--mode', 'open', '--rate', '20', '--baseline', file];
    const error = await run(url, ...quick, ...other).catch((thrown) => thrown);
    assert.match(error.message, /expected a baseline of open, 20\.0\/s poisson, received "closed, 1 in flight"/);
    assert.instance(error, UserError);
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

test('sends multipart and JSON with headers, whose values are stored nowhere', async () => {
  const types = new Set<string>();
  const out = join(root, 'secret');
  await withLocalServer(
    (request, response) => {
      types.add(`${request.headers['x-api-key']} ${request.headers['content-type']?.split(';')[0]}`);
      response.end();
    },
    async (url) => {
      const secret = ['--header', 'X-API-Key: hushhush', '--out', out];
      await run(url, ...quick, '--body', 'form', '--field', 'file', ...secret);
      assert.not.match(await run(url, ...quick, '--body', 'json', ...secret, '--json'), 'hushhush');
    },
  );
  assert.equal([...types], ['hushhush multipart/form-data', 'hushhush application/json']);
  for (const file of readdirSync(out)) assert.not.match(readFileSync(join(out, file), 'utf8'), 'hushhush');
});

test('a soak tells the growth of memory and exits 1 when it is above the limit', () =>
  fast(async (url) => {
    const out = join(root, 'soak');
    const soak = ['--mode', 'soak', '--rate', '30', '--pid', String(process.pid), '--out', out, '--json'];
    const { runs, soak: judged } = JSON.parse(
      await run(url, ...brief, '--duration', '1', ...soak, '--max-growth', '9'),
    );
    assert.equal(runs[0].load, { mode: 'open', rate: 30, arrivals: 'constant', max_in_flight: 1000 });
    assert.type(runs[0].growth.share, 'number');
    assert.equal(judged, { max_growth: 9, passed: true });
    assert.match(readFileSync(join(out, 'report.html'), 'utf8'), 'Trend of memory');
    assert.is(process.exitCode, undefined);

    const leak: Buffer[] = [];
    const leaking = setInterval(() => leak.push(Buffer.alloc(8 * 2 ** 20, 1)), 25);
    const text = await run(url, ...brief, '--duration', '1', ...soak.slice(0, -1), '--max-growth', '0.02');
    clearInterval(leaking);
    const { exitCode } = process;
    process.exitCode = undefined;
    assert.ok(leak.length > 0);
    assert.match(text, /MISSED: memory grew by .* %, not by at most 2\.00 %/);
    assert.is(exitCode, 1);
  }));

test('an interrupted run still writes its report', async () => {
  let answered = 0;
  await withLocalServer(
    (_, response) => {
      response.end('{}');
      if (++answered === 3) process.emit('SIGINT');
    },
    async (url) => {
      const out = join(root, 'interrupted');
      const running = run(url, '--image', image, '--warm-up', '0', '--duration', '600', '--out', out, '--json');
      const [{ interrupted, seconds, goodput }] = JSON.parse(await running).runs;
      assert.ok(interrupted && seconds < 300 && goodput > 0);
      assert.match(readFileSync(join(out, 'report.html'), 'utf8'), 'Interrupted after');
    },
  );
});

const NOWHERE = 'http://127.0.0.1:9/';

const misuses: [string, string[], RegExp][] = [
  ['an address that is none', ['nowhere'], /url: expected an http or https address, received "nowhere"/],
  ['an image that is not there', ['http://127.0.0.1:9/', '--image', 'absent.jpg'], /absent\.jpg/],
  ['a rate of nothing', ['http://127.0.0.1:9/', '--mode', 'open', '--rate', '0'], /--rate: expected a number above 0/],
  ['an address with a password', ['http://user:pass@127.0.0.1:9/'], /without user and password/],
  [
    'a soak without a load',
    ['http://127.0.0.1:9/', '--mode', 'soak'],
    /--mode soak: expected --rate or one --concurrency/,
  ],
  [
    'a limit of growth elsewhere',
    ['http://127.0.0.1:9/', '--max-growth', '0.1', '--pid', '1'],
    /--max-growth: expected to be used only with --mode soak/,
  ],
  [
    'a rate in a closed loop',
    [NOWHERE, '--rate', '5'],
    /--rate: expected to be used only with --mode open, slo or soak/,
  ],
  [
    'a load by the clock with a number in flight',
    [NOWHERE, ...'--mode open --rate 5 --concurrency 2'.split(' ')],
    /--concurrency: .*closed/,
  ],
  ['a limit without a search', [NOWHERE, '--p99', '100'], /--p99: expected to be used only with --mode slo/],
  ['arrivals without a clock', [NOWHERE, '--arrivals', 'poisson'], /--arrivals: .*sent at a rate/],
  ['a seed of constant arrivals', [NOWHERE, ...'--mode soak --rate 5 --seed 3'.split(' ')], /--seed: .*poisson/],
  ['a field of a raw body', [NOWHERE, '--field', 'file'], /--field: .*--body form or json/],
  ['a gate without a baseline', [NOWHERE, '--gate', '0.1'], /--gate: expected to be used only with --baseline/],
  [
    'a growth without a process',
    [NOWHERE, ...'--mode soak --rate 5 --max-growth 0.1'.split(' ')],
    /--max-growth: .*--pid/,
  ],
  ['several numbers in a closed loop', [NOWHERE, '--concurrency', '1', '2'], /--concurrency: expected one number/],
  ['a header without a name', ['http://127.0.0.1:9/', '--header', 'abc'], /--header/],
  ['a server that is not there', ['http://127.0.0.1:9/'], /expected an answer with status 200 to 299.*ECONNREFUSED/],
];

for (const [title, args, message] of misuses) {
  test(`${title} is refused`, async () => {
    const error = await run(...args, ...quick).then(
      () => undefined,
      (thrown) => thrown,
    );
    // A failed check arrives as its text.
    assert.match(String(error?.message ?? error), message);
  });
}

test.run();
