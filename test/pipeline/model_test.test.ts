import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { readJson, readText, writeJson } from '../../src/base/files.js';
import { configSchema } from '../../src/config/schema.js';
import { Store } from '../../src/data/store.js';
import type { BundleManifest } from '../../src/detect/bundle.js';
import type { LoadTestResult } from '../../src/loadtest/result.js';
import { type ModelTestOutputs, modelTest } from '../../src/pipeline/model_test.js';
import type { StepContext } from '../../src/pipeline/runner/step.js';
import { judgeAgain } from '../../src/pipeline/service_test/load_gate.js';
import type { Answer } from '../../src/serve/http/answer.js';
import { loadResult, runResult } from '../loadtest/results.js';
import { makeBundle, writeManifest } from '../serve/make_bundle.js';

const test = suite('model_test');
let bundle: string;
let context: StepContext;

test.before.each(async () => {
  bundle = await makeBundle();
  const dir = await mkdtemp(join(tmpdir(), 'yolox-model-test-'));
  const config = configSchema.parse({
    test: { seconds: 0.4, warmupSeconds: 0.1, connections: 2 },
    serve: { threads: 1 },
  });
  context = { config, dir, store: new Store(dir) };
});
test.after.each(async () => {
  for (const dir of [bundle, context.dir]) await rm(dir, { recursive: true });
});

async function refusal(): Promise<UserError> {
  try {
    await modelTest({ bundle }, context);
  } catch (error) {
    assert.instance(error, UserError);
    return error as UserError;
  }
  return assert.unreachable('the test passed') as never;
}

/** Renews the checksums after a change of the bundle's files. */
async function seal(): Promise<void> {
  await writeManifest(bundle, await readJson<BundleManifest>(join(bundle, 'bundle.json')));
}

test('a good bundle: every object matched, every request answered, an orderly end, both reports', async () => {
  const { annotations } = await readJson<Answer>(join(bundle, 'test_result.json'));
  const outputs = await modelTest({ bundle }, context);
  assert.is(outputs.matched, annotations.length);
  assert.equal([outputs.missing, outputs.extra, outputs.errors, outputs.non2xx, outputs.exit_code], [0, 0, 0, 0, 0]);
  assert.ok(outputs.requests > 0 && outputs.throughput > 0 && Number(outputs.p50_ms) > 0);
  assert.ok(Number(outputs.cpu_cores) > 0 && Number(outputs.rss_max_mb) > 50);
  assert.match(await readText(outputs.report), 'Memory of the server');
  // The store can be moved: names in it are relative.
  const files = { load: 'load.json', report: 'report.html' };
  assert.equal(await readJson(join(context.dir, 'result.json')), { ...outputs, ...files });
  assert.match(
    await readText(join(context.dir, 'result.txt')),
    `${annotations.length} of ${annotations.length} matched`,
  );
});

test('an answer unlike the reference fails the step, names the boxes, and keeps the result', async () => {
  const path = join(bundle, 'test_result.json');
  const answer = await readJson<Answer>(path);
  const [first, second] = answer.annotations;
  first.score -= 0.1;
  second.category_id = (second.category_id % 3) + 1;
  await writeJson(path, answer);
  await seal();
  const { failures } = await modelTest({ bundle }, context);
  assert.is(failures.length, 4);
  assert.match(failures[0], `missing: category ${first.category_id}, score ${first.score.toFixed(4)}`);
  assert.match(failures[2], 'not in the reference: ');
  const { missing, extra } = await readJson<ModelTestOutputs>(join(context.dir, 'result.json'));
  assert.equal([missing, extra], [2, 2]);
});

test('a sweep, against the baseline of a service a thousand times as fast', async () => {
  const baseline = join(context.dir, 'earlier.json');
  const earlier = [1, 2].map((concurrency) => runResult({ mode: 'closed', concurrency }, 1e6, 0.001));
  await writeJson(baseline, loadResult(earlier));
  context.config.test = { ...context.config.test, connections: 1, sweep: [1, 2], baseline, gate: 0.5 };
  const { failures } = await modelTest({ bundle }, context);
  assert.is(failures.length, 2);
  assert.match(failures[0], 'worse than the gate allows: against the baseline, closed, 1 in flight');
  const { load } = await readJson<ModelTestOutputs>(join(context.dir, 'result.json'));
  const { runs } = await readJson<LoadTestResult>(join(context.dir, load));
  assert.equal(
    runs.map((run) => run.load),
    earlier.map((run) => run.load),
  );
  const text = await readText(join(context.dir, 'result.txt'));
  assert.match(text, /sweep +closed, 2 in flight/);
  assert.match(text, /against the baseline, closed, 2 in flight: throughput 0\.00/);
});

test('another gate is judged by the figures there are', async () => {
  const [load, baseline] = ['load.json', 'earlier.json'].map((name) => join(context.dir, name));
  const closed = { mode: 'closed', concurrency: 1 } as const;
  await writeJson(load, loadResult([runResult(closed, 90, 1)]));
  await writeJson(baseline, loadResult([runResult(closed, 100, 1)]));
  const outputs = { load, failures: [] as string[] } as ModelTestOutputs;
  const judge = (gate: number) =>
    judgeAgain(outputs, { ...context, config: configSchema.parse({ test: { baseline, gate } }) });
  assert.equal((await judge(0.2)).failures, []);
  assert.match((await judge(0.05)).failures[0], 'worse than the gate allows');
});

test('a baseline of another load is refused before anything is started, naming both', async () => {
  const baseline = join(context.dir, 'earlier.json');
  await writeJson(baseline, loadResult([runResult({ mode: 'closed', concurrency: 64 }, 1, 1)]));
  for (const gate of [null, 0.5]) {
    context.config.test = { ...context.config.test, baseline, gate };
    const error = await refusal();
    assert.match(error.message, /earlier\.json: expected .*closed, 2 in flight, received "closed, 64 in flight"/);
  }
  assert.not.ok(existsSync(join(context.dir, 'result.json')));
});

test('a model that finds nothing in its test image has not passed', async () => {
  const manifest = await readJson<BundleManifest>(join(bundle, 'bundle.json'));
  const path = join(bundle, 'test_result.json');
  await writeJson(path, { ...(await readJson<Answer>(path)), annotations: [] });
  await writeManifest(bundle, { ...manifest, thresholds: { ...manifest.thresholds, confidence: 1 } });
  const { reference, failures, requests } = await modelTest({ bundle }, context);
  assert.equal([reference, failures.length], [0, 1]);
  assert.match(failures[0], /nothing to compare.*lower pack\.confidence/);
  assert.ok(requests > 0);
});

test('a baseline that is none is named before anything is started', async () => {
  context.config.test.baseline = join(context.dir, 'absent.json');
  assert.match((await refusal()).message, 'absent.json');
});

test('a server that does not get ready is reported with the end of its log', async () => {
  await writeFile(join(bundle, 'model.onnx'), 'not a model');
  await seal();
  assert.match(
    (await refusal()).message,
    /yolox-node serve: expected a server that becomes ready, received "exit code 2".*model\.onnx: expected an ONNX model/s,
  );
});

test.run();
