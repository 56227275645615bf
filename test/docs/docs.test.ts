import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import type { Command } from '../../src/cli/command.js';
import { runCommandLine } from '../../src/cli/parser.js';
import { CONFIG_KEYS, environmentName } from '../../src/config/keys.js';
import { configSchema } from '../../src/config/schema.js';
import { realApp } from '../serve/http/real_app.js';
import { commandLines, inRoot, readPages, root, wordsOf } from './read.js';

const test = suite('README and docs');
const pages = readPages();
const packageJson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Every command, with the work left out. */
async function allCommands(): Promise<Command[]> {
  const files = readdirSync(join(root, 'src/cli/commands')).filter((name) => name.endsWith('.ts'));
  const modules = await Promise.all(files.map((name) => import(join(root, 'src/cli/commands', name))));
  const exported: unknown[] = modules.flatMap((module) => Object.values(module)).flat();
  return exported
    .filter((value): value is Command => (value as Command | undefined)?.flags instanceof Map)
    .map((command) => ({ ...command, handler: () => {} }));
}

test('every command in them is one, with these arguments and flags', async () => {
  const commands = await allCommands();
  const names = commands.map(({ command }) => String(command).split(' ')[0]);
  assert.ok(names.includes('run') && names.includes('serve') && names.includes('model-eval'));
  let parsed = 0;
  for (const page of pages) {
    const inline = page.code.filter((code) => /^(npx )?yolox(-node)? [a-z-]+ .*--/.test(code) && !/[<…[]/.test(code));
    for (const line of [...commandLines(page, /^(npx )?yolox(-node)? /), ...inline]) {
      const [first, ...words] = wordsOf(line.replace(/^npx /, ''));
      assert.match(first, /^yolox/);
      if (words[0] === 'setup') continue;
      await runCommandLine(words, commands).catch((error) => assert.unreachable(`${page.file}: ${line}: ${error}`));
      parsed++;
    }
    for (const code of page.code) {
      const named = /^(?:npx )?yolox(?:-node)? ([a-z][a-z-]*)/.exec(code)?.[1];
      if (named) assert.ok([...names, 'setup'].includes(named), `${page.file}: no command ${named}`);
    }
  }
  assert.ok(parsed > 15, `only ${parsed} commands found`);
});

test('every command takes --json', async () => {
  for (const { command, flags } of await allCommands()) assert.ok(flags.has('json'), String(command));
});

test('every script and benchmark in them exists', () => {
  for (const page of pages) {
    for (const line of [...commandLines(page, /^npm (run|test)/), ...page.code]) {
      const [, script, rest = ''] = /^npm run ([\w:-]+)(.*)$/.exec(line) ?? [];
      if (script) assert.ok(script in packageJson.scripts, `${page.file}: npm run ${script}`);
      const bench = script === 'bench' ? / -- ([a-z0-9-]+)/.exec(rest)?.[1] : undefined;
      if (bench) assert.ok(inRoot(`bench/${bench}.bench.ts`), `${page.file}: bench/${bench}.bench.ts`);
    }
  }
});

test('every file and link in them is there', () => {
  const sources = filesOf('src', 'scripts', 'bench', 'test', 'configs');
  for (const page of pages) {
    for (const code of page.code) {
      const isPath = /^(src|test|docs|scripts|bench|configs|bin)\/[\w./-]+$/.test(code) && !code.includes('<');
      if (isPath) assert.ok(inRoot(code), `${page.file}: ${code}`);
      const isSource = /^[\w/]+\.(ts|mjs|cc|cu)$/.test(code) && code.includes('/');
      if (isSource)
        assert.ok(
          sources.some((file) => `/${file}`.endsWith(`/${code}`)),
          `${page.file}: ${code}`,
        );
    }
    for (const [, target] of page.text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path, anchor] = target.split('#');
      const file = path === '' ? page.file : join(dirname(page.file), path);
      assert.ok(inRoot(file), `${page.file}: ${target}`);
      const linked = pages.find((other) => other.file === file);
      if (anchor) assert.ok(linked?.anchors.has(anchor), `${page.file}: ${target}`);
    }
  }
});

test('every configuration key and variable in them is one', () => {
  const sections = Object.keys(configSchema.shape);
  const sectionsOnly = new RegExp(`^(?:--)?((?:${sections.join('|')})\\.[A-Za-z][\\w.]*)`);
  const known = new Set([...CONFIG_KEYS.map(environmentName), ...variablesOfSources()]);
  for (const page of pages) {
    for (const code of page.code) {
      const [, key] = sectionsOnly.exec(code) ?? [];
      // `serve.key` stands for any.
      if (!key || key === 'serve.key' || inRoot(code) || /\.(ts|json|txt|html|md)$/.test(key)) continue;
      const matches = CONFIG_KEYS.some((other) => other === key || other.startsWith(`${key}.`));
      assert.ok(matches, `${page.file}: ${key}`);
    }
    for (const [variable] of page.text.matchAll(/\bYOLOX_[A-Z][A-Z_]*[A-Z]\b/g)) {
      if (variable !== 'YOLOX_SERVE_KEY') assert.ok(known.has(variable), `${page.file}: ${variable}`);
    }
  }
});

/** Paths of all files below some folders, from the root. */
const filesOf = (...dirs: string[]): string[] =>
  dirs.flatMap((dir) =>
    readdirSync(join(root, dir), { recursive: true, encoding: 'utf8' }).map((name) => join(dir, name)),
  );

/** Variables that the program itself reads. */
function variablesOfSources(): string[] {
  return filesOf('src', 'scripts', 'bench', 'test')
    .filter((file) => /\.(ts|mjs|cjs)$/.test(file))
    .flatMap((file) => readFileSync(join(root, file), 'utf8').match(/process\.env\.YOLOX_\w+/g) ?? [])
    .map((name) => name.slice('process.env.'.length));
}

test('every preset in them exists, and every configuration shown is one', async () => {
  const { loadConfig } = await import('../../src/config/load.js');
  for (const page of pages) {
    for (const [, preset] of page.text.matchAll(/--config ([a-z][a-z-]*[a-z])\b(?!\/)/g)) {
      assert.ok(inRoot(`configs/${preset}.yaml`), `${page.file}: ${preset}`);
    }
    for (const { language, text } of page.blocks) {
      if (language !== 'yaml') continue;
      const { extends: preset, ...values } = parse(text);
      const flags = Object.fromEntries(
        CONFIG_KEYS.filter((key) => at(values, key) !== undefined).map((key) => [key, JSON.stringify(at(values, key))]),
      );
      assert.is(Object.keys(flags).length, leaves(values), `${page.file}: a key that is none`);
      await loadConfig({ file: preset, flags, environment: {} });
    }
  }
});

const at = (tree: unknown, key: string): unknown =>
  key.split('.').reduce((node, part) => (node as Record<string, unknown> | undefined)?.[part], tree);

const leaves = (tree: unknown): number =>
  typeof tree === 'object' && tree !== null && !Array.isArray(tree)
    ? Object.values(tree).reduce((sum: number, value) => sum + leaves(value), 0)
    : 1;

test('every route in their tables is one of the service', async () => {
  const { app, close } = await realApp({ adminToken: 'x'.repeat(32) });
  const routes = new Set(app.routes.map(({ path }) => path));
  await close();
  let found = 0;
  for (const page of pages) {
    for (const code of page.code) {
      const [, path] = /^(?:(?:GET|POST|PUT|DELETE)(?:\/POST)? )?(\/[a-z_.]+(?:\/:?[a-z_.]+)*)$/.exec(code) ?? [];
      if (!path || /^\/(?:page|objects|detect|opt|tmp|proc)/.test(path)) continue;
      const isThere = [...routes].some((route) => route === path || route.startsWith(`${path}/`));
      assert.ok(isThere, `${page.file}: ${path}`);
      found++;
    }
  }
  assert.ok(found > 15, `only ${found} routes found`);
});

test.run();
