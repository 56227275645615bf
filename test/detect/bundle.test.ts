import { cp, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { readJson, writeJson } from '../../src/base/files.js';
import { type BundleManifest, readBundle } from '../../src/detect/bundle.js';
import { makeBundle } from '../serve/make_bundle.js';

const test = suite('bundle');
let intact: string;
let dir: string;

test.before(async () => {
  intact = await makeBundle();
});
test.before.each(async () => {
  dir = await mkdtemp(join(tmpdir(), 'yolox-bundle-'));
  await cp(intact, dir, { recursive: true });
});
test.after.each(() => rm(dir, { recursive: true }));
test.after(() => rm(intact, { recursive: true }));

/** The message of the UserError that reading `dir` ends in. */
async function refusal(): Promise<string> {
  try {
    await readBundle(dir);
  } catch (error) {
    assert.instance(error, UserError);
    return (error as UserError).message;
  }
  return assert.unreachable('the bundle was accepted') as never;
}

async function change(edit: (manifest: BundleManifest & Record<string, unknown>) => void): Promise<void> {
  const path = join(dir, 'bundle.json');
  const manifest = await readJson<BundleManifest & Record<string, unknown>>(path);
  edit(manifest);
  await writeJson(path, manifest);
}

test('what is no bundle is named, with what makes one', async () => {
  await rm(join(dir, 'bundle.json'));
  assert.match(await refusal(), /bundle\.json: expected an existing file.*yolox-node pack/);
});

test('an intact bundle is read whole', async () => {
  const bundle = await readBundle(dir);
  assert.is(bundle.dir, dir);
  assert.is(bundle.categories.length, bundle.model.classes);
});

for (const file of ['model.onnx', 'test_image.jpg', 'test_result.json']) {
  test(`${file} missing, changed or cut short is named`, async () => {
    await truncate(join(dir, file), 10);
    assert.match(await refusal(), new RegExp(`${file}: expected SHA-256 [0-9a-f]{64}, received "[0-9a-f]{64}"`));
    await rm(join(dir, file));
    assert.match(await refusal(), new RegExp(`${file}: expected an existing file or folder, received "ENOENT"`));
  });
}

test('bundle.json that is missing or not JSON is named', async () => {
  await writeFile(join(dir, 'bundle.json'), '{"format": 1,');
  assert.match(await refusal(), /bundle\.json: expected valid JSON/);
  await rm(join(dir, 'bundle.json'));
  assert.match(await refusal(), /bundle\.json: expected an existing file/);
});

test('a bundle of an earlier version, whose threshold of IoU was called nms, is read', async () => {
  await change((manifest) => {
    const { iou, ...rest } = manifest.thresholds;
    Object.assign(manifest, { thresholds: { ...rest, nms: 0.4 } });
  });
  assert.is((await readBundle(dir)).thresholds.iou, 0.4);
});

const faults: [string, (manifest: BundleManifest & Record<string, unknown>) => unknown, RegExp][] = [
  ['an unknown format', (m) => Object.assign(m, { format: 2 }), /bundle\.json: format: .*1.*received 2/],
  ['an unknown key', (m) => Object.assign(m, { surprise: true }), /bundle\.json: .*surprise/],
  ['a wrong type', (m) => Object.assign(m.thresholds, { iou: 'high' }), /thresholds\.iou: .*number.*"high"/],
  ['categories that do not fit the model', (m) => m.categories.pop(), /categories: expected one category for each/],
  [
    'a file outside the bundle',
    (m) => Object.assign(m.model, { file: '../model.onnx' }),
    /model\.file: .*plain file name/,
  ],
  [
    'a file without a checksum',
    (m) => Reflect.deleteProperty(m.files, 'model.onnx'),
    /files\.model\.onnx: expected the SHA-256/,
  ],
];
for (const [name, edit, message] of faults) {
  test(`${name} is refused with the field`, async () => {
    await change(edit);
    assert.match(await refusal(), message);
  });
}

test.run();
