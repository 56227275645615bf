import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const root = resolve(import.meta.dirname, '../..');
const test = suite('name of the program');

/** Text files below a path. */
function files(path: string): string[] {
  if (statSync(path).isDirectory()) return readdirSync(path).flatMap((name) => files(join(path, name)));
  return /\.(md|ts|mjs|cjs|py|json|yaml|html)$/.test(path) ? [path] : [];
}

test('npx finds the command by the name of this package, and by a short name where it is installed', () => {
  const { name, bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  assert.equal(Object.keys(bin), [name, 'yolox']);
  for (const file of Object.values<string>(bin)) assert.ok(existsSync(join(root, file)));
});

test('no text tells people to run a package of another name', () => {
  const texts = ['README.md', 'CHANGELOG.md', 'bench', 'bin', 'configs', 'docs', 'scripts', 'src'];
  const found = texts
    .flatMap((path) => files(join(root, path)))
    .flatMap((file) => {
      const lines = readFileSync(file, 'utf8').split('\n');
      return lines.filter((line) => /\bnpx (-y |--yes )?yolox [\w-]/.test(line)).map((line) => `${file}: ${line}`);
    });
  assert.equal(found, []);
});

test.run();
