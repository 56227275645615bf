import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const SUITE = /^(?:export )?const (\w+) = (?:suite|suiteNeeding)\(/gm;
const USES_UVU = /from 'uvu'/;
const COMPILED = /\bbin\/yolox\.mjs|\bdist\//;
const RELATIVE_IMPORT = /(?:from |import\(|import )'(\.[^']+)\.js'/g;

/**
 * Finds the test files below `root`/test, sorted, so that those of one folder stand together.
 * Returns {files, problems}: paths relative to `root` that match one of `filters` (all without any), and
 * {file, reason} for tests that would never run: in a file with another name, or in a suite without `.run()`.
 */
export function collectTests(root, filters = []) {
  const problems = [];
  const all = readdirSync(join(root, 'test'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.[cm]?[jt]s$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
  for (const file of all) {
    const reason = problemOf(file, readFileSync(join(root, file), 'utf8'));
    if (reason) problems.push({ file, reason });
  }
  const isWanted = (file) => filters.length === 0 || filters.some((filter) => file.includes(filter));
  return {
    files: all.filter((file) => file.endsWith('.test.ts') && isWanted(file)),
    problems: problems.filter(({ file }) => isWanted(file)),
  };
}

/** Whether a test file, or a helper it imports, names the compiled program. */
export function needsBuild(root, file, seen = new Set()) {
  const path = join(root, file);
  if (seen.has(file) || !file.startsWith('test/') || !existsSync(path)) return false;
  seen.add(file);
  const source = readFileSync(path, 'utf8');
  if (COMPILED.test(source)) return true;
  const imports = [...source.matchAll(RELATIVE_IMPORT)].map(([, name]) => join(dirname(file), `${name}.ts`));
  return imports.some((helper) => needsBuild(root, helper, seen));
}

function problemOf(file, source) {
  if (!file.endsWith('.test.ts')) {
    return USES_UVU.test(source) && /\.run\(\)/.test(source)
      ? 'has tests, but its name does not end in .test.ts'
      : undefined;
  }
  if (/^\w+\.only\(/m.test(source)) return 'has a test marked "only", which hides the others';
  const suites = [...source.matchAll(SUITE)].map(([, name]) => name);
  if (/import \{[^}]*\btest\b[^}]*\} from 'uvu'/.test(source)) suites.push('test');
  const idle = suites.find((name) => !new RegExp(`^\\s*${name}\\.run\\(\\)`, 'm').test(source));
  return idle && `lacks ${idle}.run()`;
}
