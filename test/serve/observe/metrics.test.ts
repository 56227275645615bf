import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Metrics } from '../../../src/serve/observe/metrics.js';

const test = suite('metrics');
const made = () => new Metrics({ name: 'm', version: '1' });

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** A reader of Prometheus' text format, version 0.0.4, which refuses what it does not know. */
function read(text: string): { types: Map<string, string>; samples: Sample[] } {
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  assert.ok(text.endsWith('\n'));
  for (const line of text.split('\n').filter(Boolean)) {
    const type = /^# TYPE ([a-z_:][a-z0-9_:]*) (counter|gauge|histogram|summary)$/.exec(line);
    if (type) {
      assert.not(types.has(type[1]), `${type[1]} twice`);
      types.set(type[1], type[2]);
    }
    if (line.startsWith('#')) {
      assert.match(line, /^# (HELP [a-z_:][a-z0-9_:]* .+|TYPE .+)$/);
      continue;
    }
    const sample = /^([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (nan|[+-]inf|[-+\d.e]+)$/i.exec(line);
    assert.ok(sample, line);
    const [, name, labels = '', value] = sample as RegExpExecArray;
    const pairs = [...labels.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\["\\n])*)"(?:,|$)/g)];
    assert.is(pairs.map(([whole]) => whole).join(''), labels, line);
    samples.push({
      name,
      labels: Object.fromEntries(pairs.map(([, key, text]) => [key, text])),
      value: Number(value.replace('Inf', 'Infinity')),
    });
  }
  return { types, samples };
}

const response = fc.record({
  route: fc.constantFrom('/predict', '/healthz', 'other', '/admin/versions/:id'),
  status: fc.constantFrom(200, 400, 413, 422, 499, 500, 503),
  ms: fc.double({ min: 0, max: 1e6, noNaN: true }),
});

test('whatever is observed, the text is well-formed and its histograms add up', () =>
  fc.assert(
    fc.asyncProperty(fc.array(response, { maxLength: 30 }), async (responses) => {
      const metrics = made();
      for (const one of responses) metrics.observeResponse(one);
      const { samples } = read(await metrics.text());
      const sum = (name: string, labels: Record<string, string> = {}) =>
        samples
          .filter(
            (sample) =>
              sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
          )
          .reduce((total, { value }) => total + value, 0);
      assert.is(sum('yolox_responses_total'), responses.length);
      for (const route of new Set(responses.map((one) => one.route))) {
        const those = responses.filter((one) => one.route === route);
        const buckets = samples.filter(
          ({ name, labels }) => name === 'yolox_request_seconds_bucket' && labels.route === route,
        );
        for (const { labels, value } of buckets) {
          const limit = labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le);
          assert.is(value, those.filter(({ ms }) => ms / 1000 <= limit).length);
        }
        assert.is(sum('yolox_request_seconds_count', { route }), those.length);
      }
    }),
    { numRuns: 30 },
  ));

test('names follow the rules of Prometheus: units at the end, counters total, every metric of ours explained', async () => {
  const metrics = made();
  metrics.watch({ queued: 3, admitted: 5 });
  metrics.observeBatch(4);
  metrics.observeStages({ decode: 2.5 });
  metrics.countRefusedConnection();
  const text = await metrics.text();
  const { types, samples } = read(text);
  const ours = [...types].filter(([name]) => name.startsWith('yolox_'));
  assert.ok(ours.length >= 8);
  for (const [name, type] of ours) {
    assert.is(type === 'counter', name.endsWith('_total'), name);
    assert.match(text, `# HELP ${name} `);
    if (type === 'histogram') assert.match(name, /_(seconds|size)$/);
  }
  const value = (name: string) => samples.find((sample) => sample.name === name)?.value;
  assert.equal([value('yolox_queue_depth'), value('yolox_in_flight'), value('yolox_batch_size_sum')], [3, 5, 4]);
  assert.is(value('yolox_stage_seconds_sum'), 0.0025);
  assert.ok(Number(value('process_resident_memory_bytes')) > 0);
});

test('one version is the live one, whatever its name', async () => {
  const metrics = made();
  metrics.setLive({ name: 'a "b"\\c\nd', version: '2' });
  const live = read(await metrics.text()).samples.filter(({ name }) => name === 'yolox_model_info');
  assert.equal(live, [{ name: 'yolox_model_info', labels: { name: 'a \\"b\\"\\\\c\\nd', version: '2' }, value: 1 }]);
});

test.run();
