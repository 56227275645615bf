import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Hono } from 'hono';
import { etag } from 'hono/etag';
import { sha256 } from '../../base/files.js';
import { packageRoot } from '../../base/package.js';

/** The page's files, served as they are written. */
const FOLDER = pathToFileURL(join(packageRoot, 'web/'));

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
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
    app.get(name === 'index.html' ? '/' : `/page/${name}`, etag(), (c) => c.body(body, 200, headers));
  }
  return app;
}
