import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Config, configSchema } from '../../../src/config/schema.js';
import { Store } from '../../../src/data/store.js';
import { readDataset } from '../../../src/data/tables.js';
import { planPipeline, planText } from '../../../src/pipeline/runner/plan.js';
import { runPipeline } from '../../../src/pipeline/runner/run.js';
import { annotate, jpeg, writeTree } from '../../data/sources/make_coco.js';
import { linesOf, refusal } from '../runs.js';

interface Context {
  dir: string;
  /** A COCO dataset of 12 images, some in a sub-folder, and the store. */
  images: string;
  labels: string;
  store: string;
  config(overrides?: { data?: object; prep?: object; store?: string }): Config;
}

const test = suite<Context>('runner');
const NAMES = Array.from({ length: 12 }, (_, i) => (i < 6 ? `${i}.jpg` : `part/${i}.jpg`));

test.before.each(async (context) => {
  context.dir = mkdtempSync(join(tmpdir(), 'yolox-runner-'));
  context.images = join(context.dir, 'images');
  context.labels = join(context.dir, 'labels.json');
  context.store = join(context.dir, 'store');
  const images = await Promise.all(NAMES.map((_, i) => jpeg(i * 20)));
  await writeTree(context.images, Object.fromEntries(NAMES.map((name, i) => [name, images[i]])));
  writeFileSync(context.labels, JSON.stringify(annotate([...NAMES, 'part/late.jpg'])));
  context.config = ({ data = {}, prep = {}, store = context.store } = {}) =>
    configSchema.parse({
      store,
      data: { source: 'coco', images: context.images, annotations: context.labels, ...data },
      prep,
    });
});
test.after.each(({ dir }) => rmSync(dir, { recursive: true }));

const stateOf = async (config: Config) => (await planPipeline(config, 'data-prep')).map(({ state }) => state);

test('an input that is touched, spelt differently or has litter beside it is the same', async (context) => {
  const { dir, images, config } = context;
  await runPipeline(config(), 'data-prep');
  const now = new Date(Date.now() + 60_000);
  for (const path of [images, join(images, 'part'), join(images, NAMES[0]), join(images, NAMES[7]), context.labels]) {
    utimesSync(path, now, now);
  }
  const litter = ['Thumbs.db', 'part/Thumbs.db', '.DS_Store', '._0.jpg', '.hidden.jpg', 'notes.txt', '.git/x.jpg'];
  await writeTree(images, Object.fromEntries(litter.map((name) => [name, 'litter'])));
  copyFileSync(join(images, NAMES[7]), join(dir, 'copy'));
  renameSync(join(dir, 'copy'), join(images, NAMES[7]));
  symlinkSync(images, join(dir, 'link'));
  const spellings = [images, `${images}/`, `${dir}/./images`, join(dir, 'link'), relative(process.cwd(), images)];
  for (const spelling of spellings) {
    assert.equal(await stateOf(config({ data: { images: spelling } })), ['finished', 'finished'], spelling);
  }
  const lines = await linesOf(() => runPipeline(config({ data: { images: join(dir, 'link') } }), 'data-prep'));
  assert.match(lines, /data-load: already finished.*\n.*data-prep: already finished/);
});

const CHANGES: [string, (context: Context) => Promise<void> | void, RegExp][] = [
  [
    'an image replaced in place under its old size and time',
    async ({ images }) => {
      const path = join(images, NAMES[2]);
      const { atime, mtime } = statSync(path);
      const bytes = readFileSync(path);
      bytes[bytes.length - 200] ^= 1;
      writeFileSync(path, bytes);
      utimesSync(path, atime, mtime);
    },
    /^data-load +runs: data\.images: 2\.jpg changed$/m,
  ],
  [
    'an image replaced in a sub-folder',
    async ({ images }) => writeFileSync(join(images, NAMES[8]), await jpeg(250)),
    /^data-load +runs: data\.images: part\/8\.jpg changed$/m,
  ],
  [
    'an image brought later into a sub-folder',
    async ({ images }) => writeFileSync(join(images, 'part/late.jpg'), await jpeg(251)),
    /^data-load +runs: data\.images: part\/late\.jpg is new$/m,
  ],
  [
    'an image taken away',
    ({ images }) => rmSync(join(images, NAMES[9])),
    /^data-load +runs: data\.images: part\/9\.jpg is gone$/m,
  ],
  [
    'annotations edited',
    ({ labels }) => writeFileSync(labels, readFileSync(labels, 'utf8').replace('[2,5,30,20]', '[2,5,31,20]')),
    /^data-load +runs: the content of data\.annotations changed$/m,
  ],
  [
    'an image behind a link to a folder',
    async ({ dir, images, labels }) => {
      writeFileSync(labels, JSON.stringify(annotate([...NAMES, 'far/x.jpg'])));
      await writeTree(dir, { 'elsewhere/x.jpg': await jpeg(252) });
      symlinkSync(join(dir, 'elsewhere'), join(images, 'far'));
    },
    /^data-load +runs: .*far\/x\.jpg is new/m,
  ],
  [
    'an image of an unusual name that annotations list',
    async ({ images, labels }) => {
      writeFileSync(labels, JSON.stringify(annotate([...NAMES, 'part/.odd'])));
      writeFileSync(join(images, 'part/.odd'), await jpeg(253));
    },
    /^data-load +runs: .*part\/\.odd is new/m,
  ],
];
for (const [name, change, expected] of CHANGES) {
  test(`${name} is noticed and named`, async (context) => {
    await runPipeline(context.config(), 'data-prep');
    await change(context);
    assert.match(planText(await planPipeline(context.config(), 'data-prep')), expected);
    const lines = await linesOf(() => runPipeline(context.config(), 'data-prep'));
    assert.match(lines, /^data-load runs again: /m);
    assert.match(lines, /^data-prep runs again: data-load gives another /m);
  });
}

test('an image that no annotation lists loads anew, but trains on the same', async ({ images, config }) => {
  const train = async () => {
    const { 'data-prep': prep } = await runPipeline(config(), 'data-prep');
    return Object.fromEntries(
      ['train', 'val'].flatMap((split) =>
        readdirSync(prep?.[split as 'train'] as string).map((name) => [
          `${split}/${name}`,
          readFileSync(join(prep?.[split as 'train'] as string, name), 'base64'),
        ]),
      ),
    );
  };
  const before = await train();
  writeFileSync(join(images, 'unlisted.jpg'), await jpeg(254));
  assert.equal(await stateOf(config()), ['runs', 'depends']);
  assert.equal(await train(), before);
});

test('the key that makes a step run again is named, also by a run', async ({ config }) => {
  await runPipeline(config(), 'data-prep');
  const other = config({ prep: { seed: 7 } });
  assert.match(
    planText(await planPipeline(other, 'data-prep')),
    /^data-load +finished.*\ndata-prep +runs: prep\.seed 42 → 7$/,
  );
  const lines = await linesOf(() => runPipeline(other, 'data-prep'));
  assert.match(lines, /^data-prep runs again: prep\.seed 42 → 7$/m);
  assert.equal(await stateOf(config()), ['finished', 'finished']);
});

test('a plan runs nothing and writes no step', async ({ config, store }) => {
  const plans = await planPipeline(config(), 'model-train');
  assert.equal(
    plans.map(({ step, state }) => [step, state]),
    [
      ['data-load', 'runs'],
      ['data-prep', 'runs'],
      ['model-train', 'runs'],
    ],
  );
  assert.not.ok(existsSync(join(store, 'default')));
});

test('done by force with the same result, a step leaves those after it finished', async ({ config }) => {
  await runPipeline(config(), 'data-prep');
  assert.match(
    await linesOf(() => runPipeline(config(), 'data-load', { force: true })),
    'data-load runs again: --force',
  );
  assert.equal(await stateOf(config()), ['finished', 'finished']);
});

test('a store that is moved, copied or named by a link knows all it has, in its new place', async (context) => {
  const { dir, config, store } = context;
  await runPipeline(config(), 'data-prep');
  const moved = join(dir, 'other/place');
  mkdirSync(join(dir, 'other'));
  cpSync(store, join(dir, 'copied'), { recursive: true });
  renameSync(store, moved);
  symlinkSync(moved, join(dir, 'alias'));
  for (const place of [moved, join(dir, 'copied'), join(dir, 'alias'), `${moved}/../place`]) {
    const here = config({ store: place });
    assert.equal(await stateOf(here), ['finished', 'finished'], place);
    const outputs = await runPipeline(config({ store: place, prep: { seed: 3 } }), 'data-prep');
    assert.ok(outputs['data-prep']?.train.startsWith(resolve(place)));
    assert.is((await readDataset(outputs['data-load']?.dataset as string)).images.length, 12);
  }
  for (const entry of readdirSync(moved, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    assert.not.ok(readFileSync(join(entry.parentPath, entry.name)).includes(store), entry.name);
  }
});

const DAMAGES: [file: string, what: string, damage: (path: string) => void][] = [
  ['images.parquet', 'flipped', flip],
  ['annotations.parquet', 'cut off', (path) => truncateSync(path, 10)],
  ['categories.parquet', 'gone', (path) => rmSync(path)],
  ['validation.json', 'flipped', flip],
  ['lineage.json', 'flipped', flip],
];
for (const [file, what, damage] of DAMAGES) {
  test(`${file} of data-load ${what} is named, with what repairs it`, async ({ config }) => {
    const { 'data-load': before } = await runPipeline(config(), 'data-load');
    damage(join(before?.dataset as string, file));
    const { message } = await refusal(runPipeline(config(), 'data-prep'));
    assert.match(message, file);
    assert.match(message, 'yolox-node data-load --force');
    await runPipeline(config(), 'data-load', { force: true });
    await runPipeline(config(), 'data-prep');
  });
}

function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1] ^= 4;
  writeFileSync(path, bytes);
}

for (const [what, damage] of [
  ['flipped', flip],
  ['cut off', (path: string) => truncateSync(path, 100)],
  ['gone', (path: string) => rmSync(path)],
] as const) {
  test(`an image of the store that is ${what} is named, and brought back by what is named`, async (context) => {
    const { config } = context;
    const { 'data-load': loaded } = await runPipeline(config(), 'data-load');
    const [{ sha256: hash = '' }] = (await readDataset(loaded?.dataset as string)).images;
    const path = new Store(context.store).objectPath(hash);
    const sound = readFileSync(path);
    damage(path);
    const { message } = await refusal(runPipeline(config(), 'data-prep'));
    assert.match(message, path);
    assert.match(message, 'yolox-node data-load --force');
    await runPipeline(config(), 'data-load', { force: true });
    assert.ok(readFileSync(path).equals(sound));
    await runPipeline(config(), 'data-prep');
  });
}

test('what is missing for a later step is said before the first one', async ({ config, store }) => {
  const lacking = config();
  lacking.test.baseline = '/nowhere/load.json';
  const { problem } = await refusal(runPipeline(lacking, 'model-test'));
  assert.equal([problem.where, problem.field], ['/nowhere/load.json', 'test.baseline']);
  assert.not.ok(existsSync(join(store, 'default')));
});

test('an image that changes while it is loaded is refused', async ({ images, config, store }) => {
  const loading = refusal(runPipeline(config(), 'data-load'));
  while (!existsSync(join(store, 'objects'))) await new Promise((done) => setImmediate(done));
  writeFileSync(join(images, NAMES[0]), await jpeg(240));
  assert.match((await loading).message, /do not change while they are read.*0\.jpg changed/);
});

test('an interrupted step goes on, and says so', async ({ config }) => {
  const { 'data-load': loaded } = await runPipeline(config(), 'data-load');
  rmSync(join(loaded?.dataset as string, '_SUCCESS'));
  writeFileSync(join(loaded?.dataset as string, '.1-killed.tmp'), 'half');
  assert.match(planText(await planPipeline(config(), 'data-load')), 'data-load  runs: it was interrupted');
  await runPipeline(config(), 'data-load');
  assert.not.ok(existsSync(join(loaded?.dataset as string, '.1-killed.tmp')));
});

test('outputs of another layout of the store are not taken, and that is said', async ({ config, store }) => {
  await writeTree(join(store, 'default/data-load/0123456789ab'), {
    _SUCCESS: '',
    'lineage.json': '{"step":"data-load"}',
  });
  const lines = await linesOf(() => runPipeline(config(), 'data-load'));
  assert.match(lines, 'data-load runs again: its earlier outputs are of another layout of the store');
});

test('processes at the same work wait for each other and do it once', async ({ config, dir }) => {
  const program = `
    import { readFileSync } from 'node:fs';
    const { runPipeline } = await import(${JSON.stringify(resolve(import.meta.dirname, '../../../src/pipeline/runner/run.ts'))});
    await runPipeline(JSON.parse(readFileSync(process.argv[2], 'utf8')), 'data-prep');`;
  const script = join(resolve(import.meta.dirname, '../../..'), 'node_modules', `.runner-test-${process.pid}.mts`);
  const settings = join(dir, 'config.json');
  writeFileSync(script, program);
  writeFileSync(settings, JSON.stringify(config()));
  try {
    const runs = Array.from({ length: 3 }, async () => {
      const child = spawn(process.execPath, ['--import', 'tsx', script, settings], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let text = '';
      child.stderr.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      const [code] = await once(child, 'close');
      assert.is(code, 0, text);
      return text;
    });
    const lines = (await Promise.all(runs)).join('');
    for (const step of ['data-load', 'data-prep']) {
      assert.is(lines.match(new RegExp(`^${step}: done in`, 'gm'))?.length, 1, lines);
      assert.is(lines.match(new RegExp(`^${step}: already finished`, 'gm'))?.length, 2, lines);
    }
  } finally {
    rmSync(script);
  }
});

test.run();
