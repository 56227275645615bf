import { existsSync, readFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, readBundle } from '../../../src/detect/bundle.js';
import { ApiError } from '../../../src/serve/api_error.js';
import type { Lease } from '../../../src/serve/versions/model.js';
import { agreement, type ShadowOutcome } from '../../../src/serve/versions/shadow.js';
import { Versions } from '../../../src/serve/versions/versions.js';
import { familyOf, residentBytes } from '../fuzz/processes.js';
import { makeBundle } from '../make_bundle.js';
import { startModel, versionOf } from './versions_of.js';

const test = suite('versions');
/** Objects that each version finds in the test image. */
const FOUND: Record<string, number> = { 'pattern@1': 20, 'pattern@2': 2, 'pattern@3': 3 };
const dirs: Record<string, string> = {};
const outcomes: ShadowOutcome[] = [];
let image: Buffer;
let bundle: Bundle;
let versions: Versions;

test.before(async () => {
  dirs['pattern@1'] = await makeBundle();
  bundle = await readBundle(dirs['pattern@1']);
  image = await readFile(join(bundle.dir, 'test_image.jpg'));
  FOUND['pattern@1'] = JSON.parse(await readFile(join(bundle.dir, 'test_result.json'), 'utf8')).annotations.length;
  for (const version of ['2', '3']) {
    dirs[`pattern@${version}`] = await versionOf(bundle.dir, version, FOUND[`pattern@${version}`]);
  }
  versions = new Versions(bundle, { start: startModel, onShadow: (_, outcome) => outcomes.push(outcome) });
  assert.throws(
    () => versions.lease(),
    (error: ApiError) => error.status === 503,
  );
  await versions.open();
});
test.after(async () => {
  await versions.close();
  await Promise.all(Object.values(dirs).map((dir) => rm(dir, { recursive: true })));
});

/** Asks whichever version is chosen; fails unless the answer is that version's. */
async function ask(lease: Lease = versions.lease()): Promise<string> {
  const { model, release } = lease;
  try {
    const ticket = model.admit();
    try {
      const { detections } = await model.detect({ bytes: image }, ticket, new AbortController().signal);
      const { name, version } = model.bundle;
      assert.is(detections.length, FOUND[`${name}@${version}`]);
      return `${name}@${version}`;
    } finally {
      ticket.leave();
    }
  } finally {
    release();
  }
}

function refusal(act: () => unknown): [number, string] {
  try {
    act();
  } catch (error) {
    assert.instance(error, ApiError);
    return [(error as ApiError).status, (error as ApiError).body.code];
  }
  return assert.unreachable('it was done') as never;
}

const roles = () => Object.fromEntries(versions.list().map(({ id, role }) => [id, role]));

test('a version is loaded, promoted, rolled back and released', async () => {
  assert.is(await ask(), 'pattern@1');
  const { id, role, pid } = await versions.load(dirs['pattern@2']);
  assert.equal([id, role], ['pattern@2', 'idle']);
  assert.is(await ask(), 'pattern@1');
  versions.promote('pattern@2');
  assert.equal(roles(), { 'pattern@1': 'idle', 'pattern@2': 'live' });
  assert.is(versions.live.version, '2');
  assert.is(await ask(), 'pattern@2');
  versions.rollback();
  assert.is(await ask(), 'pattern@1');
  await versions.release('pattern@2');
  assert.equal(roles(), { 'pattern@1': 'live' });
  assert.not(existsSync(`/proc/${pid}`));
  assert.equal(
    refusal(() => versions.rollback()),
    [409, 'nothing_to_roll_back'],
  );
});

test('what cannot be done is refused, and changes nothing', async () => {
  const twice = await versions.load(dirs['pattern@1']).catch((error) => error.body.code);
  assert.is(twice, 'already_loaded');
  for (const act of [
    () => versions.promote('pattern@9'),
    () => versions.setShadow('pattern@9'),
    () => versions.setCanary({ id: 'pattern@9', share: 1 }),
  ]) {
    assert.equal(refusal(act), [404, 'unknown_version']);
  }
  assert.equal(
    refusal(() => versions.setCanary({ id: 'pattern@1', share: 1 })),
    [409, 'is_live'],
  );
  assert.is(await versions.release('pattern@1').catch((error) => error.body.code), 'is_live');
  assert.is(await ask(), 'pattern@1');
});

test('a canary gets its share exactly, until it is ended or promoted', async () => {
  await versions.load(dirs['pattern@2']);
  versions.setCanary({ id: 'pattern@2', share: 0.25 });
  const count = async (requests: number) => {
    let canary = 0;
    for (let i = 0; i < requests; i++) canary += Number((await ask()) === 'pattern@2');
    return canary;
  };
  assert.is(await count(40), 10);
  assert.is(versions.list()[1].share, 0.25);
  versions.endCanary();
  assert.is(await count(8), 0);
  versions.setCanary({ id: 'pattern@2', share: 1 });
  assert.is(await count(3), 3);
  versions.promote('pattern@2');
  assert.equal(roles(), { 'pattern@1': 'idle', 'pattern@2': 'live' });
  versions.rollback();
  await versions.release('pattern@2');
});

test('a shadow sees copies, is compared, and answers nobody', async () => {
  await versions.load(dirs['pattern@2']);
  versions.setShadow('pattern@2');
  assert.is(await ask(), 'pattern@1');
  while (outcomes.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  const missing = FOUND['pattern@1'] - 2;
  assert.equal(outcomes, [{ result: 'compared', both: 2, liveOnly: missing, shadowOnly: 0 }]);
  for (const id of await Promise.all(Array.from({ length: 30 }, () => ask()))) assert.is(id, 'pattern@1');
  assert.ok(outcomes.some(({ result }) => result === 'dropped'));
  versions.promote('pattern@2');
  assert.equal(roles(), { 'pattern@1': 'idle', 'pattern@2': 'live' });
  versions.rollback();
  await versions.release('pattern@2');
});

test('boxes agree one-to-one, by class and overlap', () => {
  const box = (x: number, classIndex = 0) => ({
    box: [x, 0, x + 10, 10] as [number, number, number, number],
    classIndex,
    score: 1,
  });
  assert.equal(agreement([box(0), box(50)], [box(51), box(1)]), { both: 2, liveOnly: 0, shadowOnly: 0 });
  assert.equal(agreement([box(0), box(1)], [box(0)]), { both: 1, liveOnly: 1, shadowOnly: 0 });
  assert.equal(agreement([box(0)], [box(0, 1), box(9)]), { both: 0, liveOnly: 1, shadowOnly: 2 });
});

test('a version in use stays until its last lease is given back', async () => {
  const { pid } = await versions.load(dirs['pattern@2']);
  versions.promote('pattern@2');
  const lease = versions.lease();
  versions.rollback();
  const released = versions.release('pattern@2');
  assert.is(roles()['pattern@2'], 'draining');
  assert.equal(
    refusal(() => versions.promote('pattern@2')),
    [404, 'unknown_version'],
  );
  assert.is(await ask(lease), 'pattern@2');
  await released;
  assert.not(existsSync(`/proc/${pid}`));
});

test('20 swaps under load: every answer is that of the version it names, and no process stays', async () => {
  const isModel = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('worker/main');
  const processes = () => familyOf(process.pid).filter(isModel).length;
  assert.is(processes(), 1);
  const answered: Record<string, number> = {};
  let swapping = true;
  const client = async () => {
    while (swapping) {
      const id = await ask();
      answered[id] = (answered[id] ?? 0) + 1;
    }
  };
  const clients = Array.from({ length: 4 }, client);
  let memory = 0;
  for (let swap = 0; swap < 20; swap++) {
    const old = `${versions.live.name}@${versions.live.version}`;
    const next = old === 'pattern@2' ? 'pattern@3' : 'pattern@2';
    await versions.load(dirs[next]);
    versions.promote(next);
    await versions.release(old);
    if (swap === 4) memory = residentBytes(familyOf(process.pid));
  }
  const growth = residentBytes(familyOf(process.pid)) / memory;
  swapping = false;
  await Promise.all(clients);
  assert.is(processes(), 1);
  assert.equal(Object.keys(answered).sort(), ['pattern@1', 'pattern@2', 'pattern@3']);
  assert.ok(growth < 1.15, `memory grew by a factor of ${growth}`);
});

test.run();
