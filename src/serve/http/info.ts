import { type Context, Hono } from 'hono';
import { etag } from 'hono/etag';
import { readBundled } from '../../detect/bundle.js';
import type { Models } from '../versions/model.js';
import { sayVersion } from './model_version.js';

/** What the live version says of itself: a test image, the answer it must give to it, its name and version. */
export function infoRoutes(models: Models): Hono {
  const app = new Hono();
  const READ = ['GET', 'POST'];
  const bundled = (file: 'image' | 'result', type: string) => async (c: Context) => {
    const { test, files } = models.live;
    // Another version may answer next time: caches must ask, and learn by the checksum that nothing changed.
    c.header('Cache-Control', 'no-cache');
    c.header('ETag', `"${files[test[file]]}"`);
    sayVersion(c, models.live);
    return c.body(new Uint8Array(await readBundled(models.live, test[file])), 200, { 'Content-Type': type });
  };
  app.on(READ, '/test_data', etag(), bundled('image', 'image/jpeg'));
  app.on(READ, '/test_result', etag(), bundled('result', 'application/json'));
  app.on(READ, '/service_version', (c) => {
    const { name, version, created, categories, thresholds } = models.live;
    sayVersion(c, models.live);
    return c.json({ name, version, created, categories, thresholds });
  });
  return app;
}
