import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Context, Hono } from 'hono';
import { etag } from 'hono/etag';
import { sha256 } from '../../base/files.js';
import { packageRoot } from '../../base/package.js';
import { bytes, describe, type RouteDescription } from './describe.js';

/** The page's files, served as they are written. */
const FOLDER = pathToFileURL(join(packageRoot, 'web/'));

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const PAGE: RouteDescription = {
  tag: 'documentation',
  summary: 'A page to try the model on images',
  answers: { 200: { description: 'The page.', content: bytes('text/html') } },
};

/** The web page at `/`, and what it loads at `/page/…`. Its content security policy comes with the other headers. */
export function pageRoutes(): Hono {
  const app = new Hono();
  // Few and small: read once, so that no path of a request reaches the file system.
  for (const name of readdirSync(FOLDER)) {
    const body = readFileSync(new URL(name, FOLDER));
    const headers = {
      'Content-Type': TYPES[extname(name)],
      // Names stay when the content changes, so browsers must ask, and learn by the tag that it has not.
      'Cache-Control': 'no-cache',
      ETag: `"${sha256(body)}"`,
    };
    const send = (c: Context) => c.body(body, 200, headers);
    if (name === 'index.html') app.get('/', describe(PAGE), etag(), send);
    else app.get(`/page/${name}`, etag(), send);
  }
  return app;
}
