import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { pageRoutes } from '../../../src/serve/http/page.js';

const test = suite('page routes');
const root = resolve(import.meta.dirname, '../../..');
const run = promisify(execFile);
const app = pageRoutes();

test('every file of the page is served as what it is, to be asked for again by its tag', async () => {
  for (const name of await readdir(join(root, 'web'))) {
    const path = name === 'index.html' ? '/' : `/page/${name}`;
    const response = await app.request(path);
    assert.is(response.status, 200, path);
    const body = await response.text();
    assert.is(body, await readFile(join(root, 'web', name), 'utf8'));
    assert.match(
      response.headers.get('content-type') ?? '',
      /^(text\/(html|css|javascript); charset=utf-8|image\/svg\+xml)$/,
    );
    assert.is(response.headers.get('cache-control'), 'no-cache');

    const tag = response.headers.get('etag') ?? '';
    const again = await app.request(path, { headers: { 'if-none-match': tag } });
    assert.is(again.status, 304);
    assert.is(await again.text(), '');
    assert.is((await app.request(path, { headers: { 'if-none-match': '"other"' } })).status, 200);
  }
});

test('nothing else is', async () => {
  for (const path of ['/page', '/page/', '/page/none.js', '/page/../http/page.ts', '/page/%2e%2e/http/page.ts']) {
    assert.is((await app.request(path)).status, 404, path);
  }
});

test('the document names only files that are served, and has no script or style of its own', async () => {
  const html = await (await app.request('/')).text();
  const links = [...html.matchAll(/(?:src|href)="(page\/[^"]+)"/g)].map(([, link]) => link);
  assert.ok(links.includes('page/app.js'));
  for (const link of links) assert.is((await app.request(`/${link}`)).status, 200, link);
  assert.not.match(html, /<style|style=|\bon\w+=|<script(?![^>]*\bsrc=)/);
});

test('a package of compiled code finds the same page', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'yolox-package-'));
  await run(process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'),
    ...['-p', join(root, 'tsconfig.build.json'), '--outDir', join(folder, 'dist')],
    // Whether the types are right is another check's matter.
    '--noCheck',
  ]);
  await writeFile(join(folder, 'package.json'), await readFile(join(root, 'package.json')));
  for (const name of ['web', 'node_modules']) await symlink(join(root, name), join(folder, name));
  const script = `
    const { pageRoutes } = await import('./dist/serve/http/page.js');
    process.stdout.write(await (await pageRoutes().request('/')).text());`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: folder });
  assert.is(stdout, await (await app.request('/')).text());
  await rm(folder, { recursive: true });
});

test.run();
