import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CONFIG_KEYS, environmentName } from '../../src/config/keys.js';
import { loadConfig } from '../../src/config/load.js';
import { configSchema } from '../../src/config/schema.js';

const test = suite('configuration');
const dir = mkdtempSync(join(tmpdir(), 'yolox-config-'));

function file(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

async function failure(sources: Parameters<typeof loadConfig>[0]): Promise<string> {
  try {
    await loadConfig({ environment: {}, ...sources });
  } catch (error) {
    return (error as Error).message;
  }
  return 'no error';
}

test('no source gives the defaults', async () => {
  assert.equal(await loadConfig({ environment: {} }), configSchema.parse({}));
});

test('flags win over the environment, the environment over the file, the file over what it extends', async () => {
  const path = file('mine.yaml', 'extends: yolox-nano\ntrain: {epochs: 5, batch: 5, seed: 5}\n');
  const config = await loadConfig({
    file: path,
    environment: { YOLOX_TRAIN_BATCH: '6', YOLOX_TRAIN_SEED: '6' },
    flags: { 'train.seed': '7' },
  });
  assert.equal([config.train.epochs, config.train.batch, config.train.seed], [5, 6, 7]);
  assert.equal(config.model.depthwise, true);
});

test('every preset is valid', async () => {
  for (const name of [
    'yolox-nano',
    'yolox-tiny',
    'yolox-s',
    'yolox-m',
    'yolox-l',
    'yolox-x',
    'quickstart',
    'coco-finetune',
  ]) {
    await loadConfig({ file: name, environment: {} });
  }
});

test('an unknown key names the file and suggests the right one', async () => {
  const path = file('typo.yaml', 'train:\n  epoch: 5\n');
  const message = await failure({ file: path });
  assert.match(message, path);
  assert.match(message, 'train.epoch');
  assert.match(message, 'Did you mean "epochs"?');
});

test('a wrong value names where it came from and what was expected', async () => {
  assert.match(
    await failure({ flags: { 'train.epochs': 'many' } }),
    /--train\.epochs: expected a whole number above 0, received "many"/,
  );
  assert.match(await failure({ environment: { YOLOX_TRAIN_EPOCHS: '-1' } }), /YOLOX_TRAIN_EPOCHS.*-1/);
  assert.match(await failure({ environment: { YOLOX_TRAIN_EPOCH: '1' } }), /Did you mean "YOLOX_TRAIN_EPOCHS"/);
});

test('a broken, missing or circular file is one clear error', async () => {
  assert.match(await failure({ file: file('broken.yaml', 'train: [') }), 'valid YAML');
  assert.match(await failure({ file: 'yolox-nono' }), 'Did you mean "yolox-nano"?');
  const circle = file('circle.yaml', 'extends: ./circle.yaml\n');
  assert.match(await failure({ file: circle }), 'no cycle');
});

test('the source follows from what is given, whoever gives it', async () => {
  const images = file('images.yaml', 'data: {images: photos, annotations: labels.json}\n');
  const sourceOf = async (sources: Parameters<typeof loadConfig>[0]) =>
    (await loadConfig({ environment: {}, ...sources })).data.source;
  assert.is(await sourceOf({}), 'builtin');
  assert.is(await sourceOf({ file: images }), 'coco');
  assert.is(await sourceOf({ environment: { YOLOX_DATA_IMAGES: 'photos.zip' } }), 'coco');
  assert.is(await sourceOf({ flags: { 'data.annotations': 'labels.json' } }), 'coco');
  assert.is(await sourceOf({ flags: { 'data.source': 'coco' } }), 'coco');
  assert.is(await sourceOf({ file: images, flags: { 'data.images': 'null', 'data.annotations': 'null' } }), 'builtin');
  assert.is(configSchema.parse({ data: { images: 'photos' } }).data.source, 'coco');
  const contradictions: Parameters<typeof loadConfig>[0][] = [
    { file: images, flags: { 'data.source': 'builtin' } },
    { flags: { 'data.source': 'builtin', 'data.annotations': 'labels.json' } },
    { environment: { YOLOX_DATA_SOURCE: 'builtin', YOLOX_DATA_IMAGES: 'photos' } },
  ];
  for (const sources of contradictions) {
    assert.match(
      await failure(sources),
      /expected none with data\.source builtin, received ".*Leave out one of the two/,
    );
  }
  assert.not.ok(configSchema.safeParse({ data: { source: 'builtin', images: 'photos' } }).success);
});

test('a part of a list is named without its key twice', async () => {
  assert.is(
    await failure({ flags: { 'prep.categories': '[[1]]' } }),
    '--prep.categories: [0]: expected text, received [1].',
  );
  const path = file('list.yaml', 'test: {sweep: [1, two]}\n');
  assert.is(await failure({ file: path }), `${path}: test.sweep[1]: expected a whole number above 0, received "two".`);
});

test('dots inside a key of a file, and shares that are too much together, are explained', async () => {
  assert.match(await failure({ file: file('dots.yaml', 'train.epochs: 5\n') }), 'keys inside one another');
  const shares = { 'prep.split.train': '0.9', 'prep.split.val': '0.9' };
  assert.match(
    await failure({ flags: shares }),
    /^--prep\.split\.train, --prep\.split\.val: prep\.split: expected shares that/,
  );
});

test('a name that is not there, a home folder and letters of another encoding are no files of ours', async () => {
  assert.match(await failure({ file: '' }), /^--config: expected a configuration file or the name of a preset/);
  assert.match(await failure({ flags: { store: '~/store' } }), /^--store: expected a path without "~".*whole path/);
  assert.match(
    await failure({ file: file('home.yaml', 'data: {images: ~/photos}\n') }),
    /data\.images: expected a path/,
  );
});

test('a variable without its section, or in small letters, is told', async () => {
  const told = async (name: string) => {
    const { write } = process.stderr;
    let text = '';
    process.stderr.write = ((chunk: string) => {
      text += chunk;
      return true;
    }) as typeof write;
    await loadConfig({ environment: { [name]: '3' } }).finally(() => {
      process.stderr.write = write;
    });
    return text;
  };
  assert.match(await told('YOLOX_EPOCHS'), /YOLOX_EPOCHS is not used\. Did you mean YOLOX_TRAIN_EPOCHS\?/);
  assert.match(await told('yolox_train_epochs'), /Did you mean YOLOX_TRAIN_EPOCHS\?/);
  for (const name of ['YOLOX_CACHE', 'YOLOX_OPS', 'YOLOX_DATADIR', 'EPOCHS']) assert.is(await told(name), '');
});

test('environment names are distinct', () => {
  assert.is(new Set(CONFIG_KEYS.map(environmentName)).size, CONFIG_KEYS.length);
});

test('whatever a file says, it loads or fails with a message for people', () =>
  fc.assert(
    fc.asyncProperty(fc.constantFrom(...CONFIG_KEYS), fc.jsonValue(), async (key, value) => {
      try {
        await loadConfig({ environment: {}, flags: { [key]: JSON.stringify(value) } });
      } catch (error) {
        assert.is((error as Error).name, 'UserError', String(error));
      }
    }),
    { numRuns: 200 },
  ));

test.run();
