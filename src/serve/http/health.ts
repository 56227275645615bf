import { Hono } from 'hono';
import type { Metrics } from '../observe/metrics.js';
import { HttpProblem } from './http_problem.js';

/** Whether the service wants requests: not while the model warms up, nor while it drains. */
export interface Readiness {
  ready: boolean;
}

/** What orchestrators and monitoring ask: `/healthz`, `/livez`, `/readyz` and `/metrics`. */
export function healthRoutes(readiness: Readiness, metrics: Metrics): Hono {
  const app = new Hono();
  for (const path of ['/healthz', '/livez']) app.get(path, (c) => c.json({ status: 'ok' }));
  app.get('/readyz', (c) => {
    if (readiness.ready) return c.json({ status: 'ready' });
    throw new HttpProblem(503, {
      code: 'not_ready',
      message: 'The service is warming up or shutting down.',
      hint: 'Ask again in a second.',
    });
  });
  app.get('/metrics', async (c) => c.body(await metrics.text(), 200, { 'Content-Type': metrics.contentType }));
  return app;
}
