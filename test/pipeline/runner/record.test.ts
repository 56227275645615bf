import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { configSchema } from '../../../src/config/schema.js';
import { Store } from '../../../src/data/store.js';
import { makeJob } from '../../../src/pipeline/runner/job.js';
import { type Lineage, readLineage, verifyFiles, writeLineage } from '../../../src/pipeline/runner/record.js';
import { type Done, STEPS } from '../../../src/pipeline/steps.js';

const test = suite<{ root: string; dir: string }>('record of a step');

test.before.each((context) => {
  context.root = mkdtempSync(join(tmpdir(), 'yolox-record-'));
  context.dir = join(context.root, 'step');
  mkdirSync(context.dir);
});
test.after.each(({ root }) => rmSync(root, { recursive: true }));

const lineageOf = (outputs: object) =>
  ({
    step: 'model-train',
    fingerprint: '0',
    version: '0',
    settings: {},
    sources: {},
    inputs: {},
    sourceFiles: {},
    shown: {},
    config: {},
    outputs,
    commit: null,
    finished: '',
    seconds: 0,
  }) as unknown as Lineage<'model-train'>;

test('a step that names an output it has not written is not finished', async ({ dir }) => {
  const writing = writeLineage(dir, lineageOf({ best: join(dir, 'best.safetensors') }));
  await writing.then(
    () => assert.unreachable(),
    (error: Error) => {
      assert.not.instance(error, UserError);
      assert.match(error.message, /model-train .*best\.safetensors/);
    },
  );
  assert.is(await readLineage(dir, 'model-train'), undefined);
});

test('outputs come back as they were, with their paths in the new place', async ({ root, dir }) => {
  const [, moved] = [mkdirSync(join(dir, 'folder')), join(root, 'moved')];
  writeFileSync(join(dir, 'folder/file'), 'content');
  const value = fc.jsonValue({ maxDepth: 3 }).filter((json) => !JSON.stringify(json).includes('$path'));
  await fc.assert(
    fc.asyncProperty(value, async (json) => {
      // Numbers as JSON has them: it knows no −0.
      const plain = JSON.parse(JSON.stringify(json));
      const at = (place: string) => ({ all: place, parts: [join(place, 'folder'), null], near: `${place}r`, plain });
      await writeLineage(dir, lineageOf(at(dir)));
      renameSync(dir, moved);
      const lineage = await readLineage(moved, 'model-train');
      assert.equal(lineage?.outputs as unknown, { ...at(moved), near: `${dir}r` });
      assert.equal(Object.keys(lineage?.files ?? {}), ['folder/file']);
      await verifyFiles(moved, lineage as Lineage);
      renameSync(moved, dir);
    }),
    { numRuns: 30 },
  );
});

test('packing follows the checkpoint, whatever ran before; the other checkpoint is no matter', async ({ dir }) => {
  const store = new Store(dir);
  const config = configSchema.parse({});
  const file = (sha256: string) => ({ bytes: 1, sha256 });
  const trained = (best: string, last: string) =>
    ({
      'data-prep': { ...lineageOf({}), step: 'data-prep', files: { 'test/images.parquet': file('i') } },
      'model-train': {
        ...lineageOf({ best: '/a/best.safetensors', last: '/a/last.safetensors' }),
        files: { 'best.safetensors': file(best), 'last.safetensors': file(last) },
      },
    }) as unknown as Done;
  const jobOf = async (best: string, last: string) =>
    makeJob('model-pack', config, store, {}, await STEPS['model-pack'].inputs(trained(best, last), config)).fingerprint;
  assert.is(await jobOf('1', '2'), await jobOf('1', '3'));
  assert.is.not(await jobOf('1', '2'), await jobOf('4', '2'));
});

test.run();
