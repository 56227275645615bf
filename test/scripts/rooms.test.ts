import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const root = resolve(import.meta.dirname, '../..');
const { biomeRules, PACKAGES, ROOMS } = (await import(join(root, 'scripts/rooms.mjs'))) as {
  biomeRules(): object;
  PACKAGES: Record<string, string[]>;
  ROOMS: Record<string, string[]>;
};
const src = join(root, 'src');

const test = suite('rooms');

/** What each room imports of others, by reading its sources: rooms and packages. */
function importsOf(room: string): { rooms: Set<string>; packages: Set<string> } {
  const [rooms, packages] = [new Set<string>(), new Set<string>()];
  for (const entry of readdirSync(join(src, room), { recursive: true, withFileTypes: true })) {
    if (!entry.name.endsWith('.ts')) continue;
    const file = join(entry.parentPath, entry.name);
    for (const [, name] of readFileSync(file, 'utf8').matchAll(/(?:from |import\(|import )'([^']+)'/g)) {
      if (name.startsWith('.')) rooms.add(relative(src, resolve(dirname(file), name)).split('/')[0]);
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

test("Biome's rules and the docs say what the table says", () => {
  assert.equal(JSON.parse(readFileSync(join(root, 'biome.rooms.json'), 'utf8')), biomeRules());
  const docs = readFileSync(join(root, 'docs/ARCHITECTURE.md'), 'utf8');
  for (const [room, allowed] of Object.entries(ROOMS)) {
    const row = new RegExp(`^\\| \`src/${room}\` \\| .* \\| (.*) \\|$`, 'm').exec(docs);
    assert.is(row?.[1], allowed.join(', ') || 'nothing', room);
  }
});

test.run();
