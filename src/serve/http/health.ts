import { Hono } from 'hono';
import { z } from 'zod';
import { ApiError } from '../api_error.js';
import type { Metrics } from '../observe/metrics.js';
import { bytes, describe, json, type RouteDescription } from './describe.js';

/** Whether the service wants requests. */
export interface Readiness {
  /** Whether it shuts down. */
  readonly draining: boolean;
  /** Why it does not, in a sentence; undefined when it does. Asks the model where nothing was answered of late. */
  unready(): Promise<string | undefined>;
}

const statusSchema = z.strictObject({ status: z.enum(['ok', 'ready']) }).meta({ id: 'Status' });

const probe = (summary: string, refusals: 503[] = []) =>
  describe({
    tag: 'operation',
    summary,
    answers: { 200: { description: 'Yes.', content: json(statusSchema) } },
    refusals,
  });

const METRICS: RouteDescription = {
  tag: 'operation',
  summary: 'Metrics for Prometheus',
  answers: { 200: { description: 'Text format 0.0.4.', content: bytes('text/plain') } },
  refusals: [401],
  access: 'key',
};

/** What orchestrators and monitoring ask: `/healthz`, `/livez`, `/readyz` and `/metrics`. */
export function healthRoutes(readiness: Readiness, metrics: Metrics): Hono {
  const app = new Hono();
  for (const path of ['/healthz', '/livez'])
    app.get(path, probe('Is the process alive?'), (c) => c.json({ status: 'ok' }));
  app.get('/readyz', probe('Is it ready for requests? Not while it warms up or shuts down.', [503]), async (c) => {
    const message = await readiness.unready();
    if (message === undefined) return c.json({ status: 'ready' });
    throw new ApiError({ code: 'not_ready', message, hint: 'Ask again in a second.' });
  });
  app.get('/metrics', describe(METRICS), async (c) =>
    c.body(await metrics.text(), 200, { 'Content-Type': metrics.contentType }),
  );
  return app;
}
