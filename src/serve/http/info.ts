import { type Context, Hono } from 'hono';
import { etag } from 'hono/etag';
import { z } from 'zod';
import { bundleSchema, readBundled } from '../../detect/bundle.js';
import type { Models } from '../versions/model.js';
import { answerSchema } from './answer.js';
import { bytes, describe, json } from './describe.js';
import { MODEL_HEADER, sayVersion } from './model_version.js';

const { name, version, created, categories, thresholds } = bundleSchema.shape;
const versionSchema = z.strictObject({ name, version, created, categories, thresholds }).meta({ id: 'Version' });

const CACHED = { ETag: { description: 'Checksum of the content.', schema: { type: 'string' as const } } };

const about = (summary: string, content: ReturnType<typeof bytes>, headers = {}) =>
  describe({
    tag: 'model',
    summary,
    answers: { 200: { description: summary, headers: { ...MODEL_HEADER, ...headers }, content } },
    refusals: [401],
    access: 'key',
  });

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
  app.on(
    READ,
    '/test_data',
    about('An image to try the service with', bytes('image/jpeg'), CACHED),
    etag(),
    bundled('image', 'image/jpeg'),
  );
  app.on(
    READ,
    '/test_result',
    about('The answer that image must get', json(answerSchema), CACHED),
    etag(),
    bundled('result', 'application/json'),
  );
  app.on(READ, '/service_version', about('Name and version of the live model', json(versionSchema)), (c) => {
    const { name, version, created, categories, thresholds } = models.live;
    sayVersion(c, models.live);
    return c.json({ name, version, created, categories, thresholds });
  });
  return app;
}
