import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { root } from './read.js';

const test = suite('words of sources and docs');

/** Phrases that read like a translation. */
const BANNED =
  /\b(whoever|nobody is|what became of|passed? over|told of every|everybody is|leanest|(?:is|be) let in|nobody's|(?:is|be|are) to be had|for want of)\b/i;

const TEXT = /\.(?:ts|mjs|cjs|js|py|cc|cu|h|md|yaml|html|css)$|Dockerfile/;

function filesIn(path: string): string[] {
  const full = join(root, path);
  if (!statSync(full).isDirectory()) return [path];
  return readdirSync(full).flatMap((name) => filesIn(join(path, name)));
}

/** Lines of text files in `paths` that match, as `file:line: text`. */
function linesWith(pattern: RegExp, paths: readonly string[], except = /^$/): string[] {
  return paths
    .flatMap(filesIn)
    .filter((file) => TEXT.test(file) && !except.test(file))
    .flatMap((file) =>
      readFileSync(join(root, file), 'utf8')
        .split('\n')
        .flatMap((line, i) => (pattern.test(line) ? [`${file}:${i + 1}: ${line.trim()}`] : [])),
    );
}

test('no text uses a banned phrase', () => {
  const paths = ['src', 'web', 'docs', 'scripts', 'bench', 'configs', 'README.md', 'CHANGELOG.md', 'Dockerfile.cuda'];
  assert.equal(linesWith(BANNED, paths), []);
});

test('an image is never called a picture', () => {
  // Old names of configuration keys.
  const except = /^src\/config\/renamed\.ts$/;
  assert.equal(linesWith(/picture/i, ['src', 'web', 'docs', 'README.md'], except), []);
});

test.run();
