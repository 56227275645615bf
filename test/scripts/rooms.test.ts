import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const root = resolve(import.meta.dirname, '../..');
const { biomeRules, PACKAGES, ROOMS, SERVE_ROOMS } = (await import(join(root, 'scripts/rooms.mjs'))) as {
  biomeRules(): object;
  PACKAGES: Record<string, string[]>;
  ROOMS: Record<string, string[]>;
  SERVE_ROOMS: Record<string, string[]>;
};
const src = join(root, 'src');

const test = suite('rooms');

/** What each room imports of others, by reading its sources: rooms and packages. */
function importsOf(room: string, house = src): { rooms: Set<string>; packages: Set<string> } {
  const [rooms, packages] = [new Set<string>(), new Set<string>()];
  for (const entry of readdirSync(join(house, room), { recursive: true, withFileTypes: true })) {
    if (!entry.name.endsWith('.ts')) continue;
    const file = join(entry.parentPath, entry.name);
    for (const [, name] of readFileSync(file, 'utf8').matchAll(/(?:from |import\(|import )'([^']+)'/g)) {
      if (name.startsWith('.')) rooms.add(relative(house, resolve(dirname(file), name)).split('/')[0]);
      else packages.add(name);
    }
  }
  rooms.delete(room);
  return { rooms, packages };
}

test('every folder of src is a room, and imports go down', () => {
  const names = Object.keys(ROOMS);
  assert.equal(readdirSync(src).sort(), names.toSorted());
  for (const [i, room] of names.entries()) {
    for (const other of ROOMS[room]) assert.ok(names.indexOf(other) < i, `${room} is below ${other}`);
  }
});

test('the table allows what is used and nothing more', () => {
  const used = Object.fromEntries(Object.keys(ROOMS).map((room) => [room, importsOf(room)]));
  for (const [room, allowed] of Object.entries(ROOMS))
    assert.equal([...used[room].rooms].sort(), allowed.toSorted(), room);
  for (const [name, allowed] of Object.entries(PACKAGES)) {
    const users = Object.keys(ROOMS).filter((room) =>
      [...used[room].packages].some((one) => one === name || one.startsWith(`${name}/`)),
    );
    assert.equal(users.sort(), allowed.toSorted(), name);
  }
});

test('so does the table of the rooms inside serve', () => {
  const serve = join(src, 'serve');
  const names = Object.keys(SERVE_ROOMS);
  const folders = readdirSync(serve, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  assert.equal(folders.map(({ name }) => name).sort(), names.toSorted());
  for (const [i, room] of names.entries()) {
    const used = [...importsOf(room, serve).rooms].filter((name) => names.includes(name));
    assert.equal(used.sort(), SERVE_ROOMS[room].toSorted(), room);
    for (const other of SERVE_ROOMS[room]) assert.ok(names.indexOf(other) < i, `${room} is below ${other}`);
  }
});

// That detect and image import no Hono follows from the tables above.
test('serve, detect and image load no TensorFlow, also not by way of a package', () => {
  const load = (folder: string) => {
    const files = readdirSync(join(src, folder), { recursive: true, encoding: 'utf8' });
    // What begins to work when it is loaded is a program, not a module.
    const programs = /(main|instance_thread|decode_child)\.ts$/;
    const modules = files.filter((name) => name.endsWith('.ts') && !programs.test(name));
    const script = `
      for (const name of ${JSON.stringify(modules)}) await import(${JSON.stringify(join(src, folder))} + '/' + name);
      const { createRequire } = await import('node:module');
      const cached = Object.keys(createRequire(import.meta.url).cache);
      const native = process.report.getReport().sharedObjects;
      console.log(JSON.stringify([...cached, ...native]));
      process.exit();`;
    const args = ['--import', 'tsx', '--input-type=module', '-e', script];
    return JSON.parse(execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' })) as string[];
  };
  for (const folder of ['serve', 'detect', 'image']) {
    const loaded = load(folder);
    assert.ok(loaded.length > 10);
    assert.equal(
      loaded.filter((path) => /tfjs|libtensorflow/.test(path)),
      [],
      folder,
    );
    if (folder !== 'serve')
      assert.not(
        loaded.some((path) => path.includes('node_modules/hono')),
        folder,
      );
  }
});

test("Biome's rules and the docs say what the table says", () => {
  assert.equal(JSON.parse(readFileSync(join(root, 'biome.rooms.json'), 'utf8')), biomeRules());
  const docs = readFileSync(join(root, 'docs/ARCHITECTURE.md'), 'utf8');
  for (const [room, allowed] of Object.entries(ROOMS)) {
    const row = new RegExp(`^\\| \`src/${room}\` \\| .* \\| (.*) \\|$`, 'm').exec(docs);
    assert.is(row?.[1], allowed.join(', ') || 'nothing', room);
  }
});

test.run();
