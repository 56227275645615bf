import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { secureHeaders } from 'hono/secure-headers';
import { log } from '../base/progress.js';
import type { ServeConfig } from '../config/schema.js';
import { buildAnswer } from './http/answer.js';
import { HttpProblem, refuse } from './http/http_problem.js';
import { readQuery } from './http/query.js';
import { readUpload } from './http/upload.js';
import type { Models } from './models/model.js';
import type { Metrics } from './observe/metrics.js';

/** Whether the service wants requests: not while the model warms up, nor while it drains. */
export interface Readiness {
  ready: boolean;
}

export interface AppParts {
  models: Models;
  metrics: Metrics;
  config: Pick<ServeConfig, 'maxBytes' | 'maxPixels'>;
  /** Read at each request; the owner changes it. */
  readiness: Readiness;
}

const READ = ['GET', 'POST'];

/** The HTTP service of a model. Bad input is answered 4xx with a reason, see `Reason`. */
export function createApp({ models, metrics, config, readiness }: AppParts): Hono {
  const bundled = (file: 'image' | 'result') => readFile(join(models.live.dir, models.live.test[file]));
  const app = new Hono();

  app.use(async (c, next) => {
    await next();
    metrics.countResponse(c.res.status);
  });
  // A connection kept alive would hold up the shutdown.
  app.use(async (c, next) => {
    await next();
    if (!readiness.ready) c.header('Connection', 'close');
  });
  // Plain HTTP: whether browsers must use TLS is for the proxy in front to say.
  app.use(secureHeaders({ strictTransportSecurity: false }));
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed(c, methods) {
        c.header('Allow', methods.join(', '));
        return refuse(c, 405, {
          code: 'wrong_method',
          message: 'The path does not take this method.',
          expected: methods.join(', '),
          received: c.req.method,
        });
      },
    }),
  );

  app.post(
    '/predict',
    bodyLimit({
      maxSize: config.maxBytes,
      onError: () => {
        throw new HttpProblem(413, {
          code: 'too_large',
          message: 'The body is too large.',
          expected: `at most ${config.maxBytes} bytes`,
        });
      },
    }),
    async (c) => {
      const { model, release } = models.lease();
      try {
        const { categories } = model.bundle;
        const { image_id, ...thresholds } = readQuery(c.req.query(), categories);
        const upload = await readUpload(c);
        const place = model.admit(c.req.raw.signal);
        try {
          const { width, height, detections, times } = await place.detect({ bytes: upload.bytes, thresholds });
          metrics.observeStages(times);
          c.header('Server-Timing', serverTiming(times));
          return c.json(buildAnswer({ file_name: upload.name, height, width, image_id }, detections, categories));
        } finally {
          place.leave();
        }
      } finally {
        release();
      }
    },
  );
  app.on(READ, '/test_data', async (c) => c.body(await bundled('image'), 200, { 'Content-Type': 'image/jpeg' }));
  app.on(READ, '/test_result', async (c) =>
    c.body(await bundled('result'), 200, { 'Content-Type': 'application/json' }),
  );
  app.on(READ, '/service_version', (c) => {
    const { name, version, created } = models.live;
    return c.json({ name, version, created });
  });
  app.get('/metrics', async (c) => c.body(await metrics.text(), 200, { 'Content-Type': metrics.contentType }));
  for (const path of ['/healthz', '/livez']) app.get(path, (c) => c.json({ status: 'ok' }));
  app.get('/readyz', (c) => {
    if (readiness.ready) return c.json({ status: 'ready' });
    return refuse(c, 503, {
      code: 'not_ready',
      message: 'The service is warming up or shutting down.',
      hint: 'Ask again in a second.',
    });
  });

  app.notFound((c) =>
    refuse(c, 404, {
      code: 'unknown_path',
      message: 'There is nothing at this path.',
      expected: 'POST /predict',
      received: c.req.path,
    }),
  );
  app.onError((error, c) => {
    if (error instanceof HttpProblem) {
      if (error.retryAfter !== undefined) c.header('Retry-After', String(error.retryAfter));
      return refuse(c, error.status, error.reason);
    }
    log(`${c.req.method} ${c.req.path}: ${error.stack ?? error.message}`);
    return refuse(c, 500, { code: 'internal', message: 'The service failed; its log has the details.' });
  });
  return app;
}

/** The stages a request went through, for the browser's network panel. */
function serverTiming(stages: Record<string, number>): string {
  return Object.entries(stages)
    .map(([name, ms]) => `${name};dur=${ms.toFixed(3)}`)
    .join(', ');
}
