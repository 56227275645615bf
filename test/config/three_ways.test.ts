import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { stringify } from 'yaml';
import { z } from 'zod';
import { UserError } from '../../src/base/errors.js';
import { CONFIG_KEYS, environmentName, isSecret, schemaAt } from '../../src/config/keys.js';
import { setAt, type Tree, valueAt } from '../../src/config/layer.js';
import { loadConfig } from '../../src/config/load.js';
import { type Config, configSchema } from '../../src/config/schema.js';
import { wantsText } from '../../src/config/text.js';
import { DEPENDENT_KEYS } from '../../src/config/unused.js';

const test = suite('file, environment and flags');
const dir = mkdtempSync(join(tmpdir(), 'yolox-three-ways-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

const HASH = 'a'.repeat(64);
const SECRET = 'a-secret-of-23-letters!';

/** Values, other than the default, that text of their own form can say; those of other keys follow from the schema. */
const TEXTS: Record<string, unknown> = {
  'data.images': 'photos',
  'data.annotations': '2024',
  'data.imagesSha256': HASH,
  'data.annotationsSha256': HASH,
  'prep.categories': ['02146', 'null', '1.0'],
  'model.preprocess.size': [64, 96],
  'train.weights': '300.pth',
  'pack.name': '300',
  'pack.version': '1.0',
  'pack.license': 'MIT',
  'test.baseline': 'load.json',
  'test.sweep': [2, 4],
  'serve.host': '0.0.0.0',
  'serve.urlHosts': ['*.example.org'],
  'serve.adminToken': SECRET,
  'serve.bundles': 'bundles',
  'serve.apiKeys': [SECRET],
  'serve.apiKeysFile': 'keys',
  'serve.cors': ['https://example.com'],
  'serve.otlp': 'http://127.0.0.1:4318',
  store: '7',
  pipeline: 'mine',
};

/** What must be set for a value to be taken. */
const WITH: Record<string, Tree> = {
  'data.imagesSha256': { data: { images: 'x' } },
  'data.annotationsSha256': { data: { annotations: 'x' } },
  'prep.split.train': { prep: { split: { val: 0.25, test: 0.25 } } },
  'prep.split.val': { prep: { split: { train: 0.25, test: 0.25 } } },
  'prep.split.test': { prep: { split: { train: 0.25, val: 0.25 } } },
  'train.optimizer.betas': { train: { optimizer: { name: 'adam' } } },
  'train.freeze': { train: { weights: 'x' } },
  'test.gate': { test: { baseline: 'x' } },
  'serve.urlTimeout': { serve: { urlHosts: ['a.example.org'] } },
  'serve.bundles': { serve: { adminToken: SECRET } },
  'serve.openMetrics': { serve: { apiKeys: [SECRET] } },
};

type Outcome = { config: Config } | { expected: string; received: unknown; hint?: string };
type Way = 'file' | 'environment' | 'flag';
const WAYS: readonly Way[] = ['file', 'environment', 'flag'];

/** What comes of a key set to YAML text in one way, and where an error puts it. */
async function outcome(way: Way, key: string, text: string, rest: Tree = {}): Promise<Outcome> {
  const path = join(dir, 'config.yaml');
  const base = join(dir, 'base.yaml');
  writeFileSync(base, stringify(rest));
  const line = key
    .split('.')
    .reverse()
    .reduce((inner, part) => `{${part}: ${inner}}`, text);
  writeFileSync(path, `extends: ./base.yaml\n${way === 'file' ? line.replace(/^\{(\w+): (.*)\}$/s, '$1: $2') : ''}\n`);
  try {
    const config = await loadConfig({
      file: path,
      environment: way === 'environment' ? { [environmentName(key)]: text } : {},
      flags: way === 'flag' ? { [key]: text } : {},
    });
    return { config };
  } catch (error) {
    assert.instance(error, UserError, `${key} ${text}: ${error}`);
    const { where, field, expected, received, hint } = (error as UserError).problem;
    const leaf = { file: path, environment: environmentName(key), flag: `--${key}` }[way];
    assert.is(where, leaf, `${key} ${text}`);
    if (way === 'file') assert.ok(field?.startsWith(key.split('.')[0]), field);
    else assert.not.match(`${field ?? ''}`, key);
    return { expected, received, hint };
  }
}

/** A value of a key other than its default, as its schema has them. */
function anotherValue(key: string): unknown {
  if (key in TEXTS) return TEXTS[key];
  const schema = schemaAt(key.split('.')) as z.ZodType;
  const usual = valueAt(configSchema.parse({}), key.split('.'));
  const json = z.toJSONSchema(schema, { unrepresentable: 'any' }) as {
    anyOf?: { enum?: unknown[] }[];
    enum?: unknown[];
  };
  const choices = json.enum ?? [
    true,
    false,
    0.5,
    0.25,
    3,
    32,
    64,
    2000,
    [0.5, 0.25],
    [64, 96],
    [0.5, 0.25, 0.125],
    'text',
    ['text'],
    ['127.0.0.1'],
  ];
  const other = choices.find((value) => value !== usual && schema.safeParse(value).success);
  assert.is.not(other, undefined, `give TEXTS a value of ${key}`);
  return other;
}

test('every key takes the same value in each of the three ways', async () => {
  for (const key of CONFIG_KEYS) {
    const value = anotherValue(key);
    const forms = [JSON.stringify(value), ...(typeof value === 'string' && /^[\w.]+$/.test(value) ? [value] : [])];
    for (const form of forms) {
      for (const way of WAYS) {
        const result = await outcome(way, key, form, WITH[key]);
        assert.ok('config' in result, `${way}: ${key} ${form}: ${JSON.stringify(result)}`);
        assert.equal(valueAt((result as { config: Config }).config, key.split('.')), value, `${way}: ${key} ${form}`);
      }
    }
  }
});

const PLAIN = [
  '02146',
  '1.0',
  'yes',
  'null',
  '~',
  '0x10',
  '.nan',
  '.inf',
  '1e3',
  'abc',
  '-1',
  '-3',
  '1.5',
  '2',
  'true',
  '[]',
  '{}',
  '[1]',
  '[1, a]',
  '""',
];

test('whatever is said, the three ways agree on the configuration or on what is wrong', () =>
  fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...CONFIG_KEYS),
      fc.oneof(
        fc.constantFrom(...PLAIN),
        fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value)),
      ),
      async (key, text) => {
        // Where text is wanted a flag is text whatever it looks like; a file can say a list there.
        fc.pre(!(wantsText(schemaAt(key.split('.')) as z.ZodType) && /^[[{]/.test(text)));
        const file = await outcome('file', key, text);
        for (const way of WAYS.slice(1)) assert.equal(await outcome(way, key, text), file, `${way}: ${key} ${text}`);
      },
    ),
    { numRuns: 150 },
  ));

/** Settings with which a key has no effect. */
const WITHOUT_EFFECT: Record<string, Tree> = {
  'data.builtin.images': { data: { images: 'x' } },
  'data.builtin.side': { data: { annotations: 'x' } },
  'data.builtin.seed': { data: { source: 'coco' } },
  'data.imagesSha256': {},
  'data.annotationsSha256': { data: { images: 'x' } },
  'train.multiscaleEvery': { train: { multiscale: 0 } },
  'train.optimizer.momentum': { train: { optimizer: { name: 'adam' } } },
  'train.optimizer.nesterov': { train: { optimizer: { name: 'adam' } } },
  'train.optimizer.betas': {},
  'train.schedule.warmupEpochs': { train: { schedule: { name: 'cos' } } },
  'train.schedule.warmupLr': { train: { schedule: { warmupEpochs: 0 } } },
  'train.schedule.minLrRatio': { train: { schedule: { name: 'warmcos' } } },
  'train.augment.mixup': { train: { augment: { mosaic: 0 } } },
  'train.augment.degrees': { train: { augment: { mosaic: 0 } } },
  'train.augment.scale': { train: { augment: { mosaic: 0 } } },
  'train.augment.shear': { train: { augment: { mosaic: 0 } } },
  'train.augment.translate': { train: { augment: { mosaic: 0 } } },
  'train.augment.mixupScale': { train: { augment: { mixup: 0 } } },
  'train.ema.decay': { train: { ema: { enabled: false } } },
  'train.ema.ramp': { train: { ema: { enabled: false } } },
  'train.freeze': {},
  'test.gate': {},
  'serve.urlTimeout': {},
  'serve.bundles': {},
  'serve.openMetrics': {},
};

test('a value that nothing reads is refused, whoever gives it; inherited and default values are not', async () => {
  const keys = [...new Set(DEPENDENT_KEYS.flatMap((rule) => rule.keys))];
  assert.equal([...keys].sort(), Object.keys(WITHOUT_EFFECT).sort());
  for (const key of keys) {
    const text = JSON.stringify(anotherValue(key));
    for (const way of WAYS) {
      const result = await outcome(way, key, text, WITHOUT_EFFECT[key]);
      assert.ok('expected' in result, `${way}: ${key} has an effect`);
      const { expected, received, hint } = result as Exclude<Outcome, { config: Config }>;
      assert.match(expected, /^to be used only with /);
      assert.match(hint ?? '', 'no effect');
      assert.equal(received, isSecret(key.split('.')) ? undefined : anotherValue(key));
      const usual = JSON.stringify(valueAt(configSchema.parse({}), key.split('.')));
      assert.ok('config' in (await outcome(way, key, usual, WITHOUT_EFFECT[key])), `${way}: ${key} ${usual}`);
    }
    const inherited = structuredClone(WITHOUT_EFFECT[key]);
    setAt(inherited, key, anotherValue(key));
    assert.ok('config' in (await outcome('flag', 'train.epochs', '3', inherited)), key);
  }
});

test.run();
