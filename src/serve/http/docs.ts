import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type Context, Hono } from 'hono';
import { etag } from 'hono/etag';
import { bytes, describe } from './describe.js';
import { type DocumentOptions, openApiDocument } from './openapi.js';

const require = createRequire(import.meta.url);

/** What the page needs of swagger-ui-dist; nothing else of the package can be asked for. */
const ASSETS = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>yolox-node API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" type="image/png" href="docs/favicon-32x32.png">
</head>
<body>
<main id="docs"></main>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
`;

/** A file of its own, for a content security policy without inline scripts. */
const START = `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#docs',
  presets: [SwaggerUIBundle.presets.apis],
  tryItOutEnabled: true,
});
`;

/** A file for browsers. */
const file = (summary: string, type: string) =>
  describe({ tag: 'documentation', summary, answers: { 200: { description: summary, content: bytes(type) } } });

/** `/openapi.json`, which describes all routes of `service`, and the same to read and to try at `/docs`. */
export function docsRoutes(service: Hono, options: DocumentOptions): Hono {
  const app = new Hono();
  let document: Promise<string> | undefined;
  const { version } = require('swagger-ui-dist/package.json') as { version: string };
  // Addresses do not change with the version: browsers must ask, and learn that nothing changed.
  const send = (c: Context, body: string | Buffer<ArrayBuffer>, type: string) =>
    c.body(body, 200, { 'Content-Type': type, 'Cache-Control': 'no-cache' });
  app.get('/openapi.json', file('This description', 'application/json'), etag(), async (c) => {
    // Made with the first request: by then the service has all its routes.
    document ??= openApiDocument(service, options).then((made) => JSON.stringify(made));
    return send(c, await document, 'application/json');
  });
  app.get('/docs', file('The same to read and to try', 'text/html'), etag(), (c) =>
    send(c, PAGE, 'text/html; charset=utf-8'),
  );
  app.get('/docs/start.js', etag(), (c) => send(c, START, ASSETS['swagger-ui-bundle.js']));
  for (const [name, type] of Object.entries(ASSETS)) {
    const path = require.resolve(`swagger-ui-dist/${name}`);
    app.get(`/docs/${name}`, etag(), async (c) => {
      c.header('ETag', `"${version}"`);
      return send(c, await readFile(path), type);
    });
  }
  return app;
}
