import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { secureHeaders } from 'hono/secure-headers';
import { log } from '../base/progress.js';
import type { ServeConfig } from '../config/schema.js';
import { buildAnswer } from './answer.js';
import type { Bundle } from './bundle.js';
import type { Detector } from './detector.js';
import { HttpProblem, refuse } from './http_problem.js';
import { decodeUpload, readUpload } from './upload.js';

/** Whether the service wants requests: not while the model warms up, nor while it drains. */
export interface Readiness {
  ready: boolean;
}

export interface AppParts {
  bundle: Bundle;
  detector: Detector;
  config: Pick<ServeConfig, 'maxBytes' | 'maxPixels'>;
  /** Read at each request; the owner changes it. */
  readiness: Readiness;
}

const READ = ['GET', 'POST'];

/** The HTTP service of one bundle. Bad input is answered 4xx with a reason, see `Reason`. */
export function createApp({ bundle, detector, config, readiness }: AppParts): Hono {
  const { name, version, created, categories, test } = bundle;
  const bundled = (file: string) => readFile(join(bundle.dir, file));
  const app = new Hono();

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
      const image_id = readImageId(c.req.query('image_id'));
      const upload = await readUpload(c);
      const picture = await decodeUpload(upload, config.maxPixels);
      const { width, height } = picture;
      const detections = await detector.detect(picture);
      return c.json(buildAnswer({ file_name: upload.name, height, width, image_id }, detections, categories));
    },
  );
  app.on(READ, '/test_data', async (c) => c.body(await bundled(test.image), 200, { 'Content-Type': 'image/jpeg' }));
  app.on(READ, '/test_result', async (c) =>
    c.body(await bundled(test.result), 200, { 'Content-Type': 'application/json' }),
  );
  app.on(READ, '/service_version', (c) => c.json({ name, version, created }));
  app.get('/healthz', (c) => c.json({ status: 'ok' }));
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
    if (error instanceof HttpProblem) return refuse(c, error.status, error.reason);
    log(`${c.req.method} ${c.req.path}: ${error.stack ?? error.message}`);
    return refuse(c, 500, { code: 'internal', message: 'The service failed; its log has the details.' });
  });
  return app;
}

/** The picture's id as the client counts them; 0 when it does not say. */
function readImageId(text = '0'): number {
  if (!/^\d{1,15}$/.test(text)) {
    throw new HttpProblem(400, {
      code: 'bad_image_id',
      message: 'The image_id is not a whole number.',
      expected: 'digits',
      received: text,
    });
  }
  return Number(text);
}
