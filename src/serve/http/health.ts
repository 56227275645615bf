import { Hono } from 'hono';
import { ApiError } from '../api_error.js';
import type { Metrics } from '../observe/metrics.js';

/** Whether the service wants requests. */
export interface Readiness {
  /** Whether it shuts down. */
  readonly draining: boolean;
  /** Why it does not, in a sentence; undefined when it does. Asks the model where nothing was answered of late. */
  unready(): Promise<string | undefined>;
}

/** What orchestrators and monitoring ask: `/healthz`, `/livez`, `/readyz` and `/metrics`. */
export function healthRoutes(readiness: Readiness, metrics: Metrics): Hono {
  const app = new Hono();
  for (const path of ['/healthz', '/livez']) app.get(path, (c) => c.json({ status: 'ok' }));
  app.get('/readyz', async (c) => {
    const message = await readiness.unready();
    if (message === undefined) return c.json({ status: 'ready' });
    throw new ApiError({ code: 'not_ready', message, hint: 'Ask again in a second.' });
  });
  app.get('/metrics', async (c) => c.body(await metrics.text(), 200, { 'Content-Type': metrics.contentType }));
  return app;
}
