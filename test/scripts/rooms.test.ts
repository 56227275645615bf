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

/** Paths of all that a process loads when it imports these modules: ES modules, CommonJS and native libraries. */
function loadedBy(modules: readonly string[]): string[] {
  // A hook sees ES modules; those imported by CommonJS are only in its cache.
  const hook = `
    import { writeSync } from 'node:fs';
    export async function load(url, context, next) { writeSync(1, url + '\\n'); return next(url, context); }`;
  const script = `
    import { createRequire, register } from 'node:module';
    register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hook)}));
    for (const name of ${JSON.stringify(modules)}) await import(name);
    const cached = Object.keys(createRequire(import.meta.url).cache);
    console.log([...cached, ...process.report.getReport().sharedObjects].join('\\n'));
    process.exit();`;
  const args = ['--import', 'tsx', '--input-type=module', '-e', script];
  return execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' }).split('\n');
}

const isTensorflow = (path: string) => /tfjs|libtensorflow/.test(path);
const isHono = (path: string) => path.includes('node_modules/hono/');

test('serve, detect and image load no TensorFlow, detect and image no Hono, not even through a package', () => {
  assert.ok(loadedBy([join(src, 'kernels/tf.ts')]).some(isTensorflow));
  assert.ok(loadedBy([join(src, 'report/html.ts')]).some(isHono));
  for (const folder of ['serve', 'detect', 'image']) {
    const files = readdirSync(join(src, folder), { recursive: true, encoding: 'utf8' });
    // What begins to work when it is loaded is a program, not a module.
    const programs = /(main|instance_thread|decode_child)\.ts$/;
    const modules = files.filter((name) => name.endsWith('.ts') && !programs.test(name));
    const loaded = loadedBy(modules.map((name) => join(src, folder, name)));
    assert.ok(modules.every((name) => loaded.some((path) => path.includes(`src/${folder}/${name}`))));
    assert.equal(loaded.filter(isTensorflow), [], folder);
    if (folder !== 'serve') assert.equal(loaded.filter(isHono), [], folder);
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
