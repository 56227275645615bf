import type { Context, MiddlewareHandler } from 'hono';
import { requestId } from 'hono/request-id';
import { routePath } from 'hono/route';
import { ApiError } from '../api_error.js';
import type { Logger } from './log.js';
import type { Metrics } from './metrics.js';
import type { Traces } from './traces.js';

/** Characters of a request's id taken from outside. */
const MAX_ID = 128;

/** Characters of a path in the log. */
const MAX_PATH = 200;

/** Machines ask for these every few seconds: too often for the log. */
const PROBES = new Set(['/healthz', '/livez', '/readyz', '/metrics']);

/** Gives every request an id: the client's `X-Request-Id` when it is well-formed, else a new one. */
export const identifyRequests = (): MiddlewareHandler => requestId({ limitLength: MAX_ID });

export interface Observers {
  metrics: Metrics;
  log: Logger;
  traces?: Traces;
}

/**
 * Counts, logs and traces every request once it is answered. Nothing of the query, the headers or the body is written
 * down: keys, tokens and addresses with passwords travel there.
 */
export function observeRequests({ metrics, log, traces }: Observers): MiddlewareHandler {
  return async (c, next) => {
    const start = performance.now();
    const span = traces?.begin(c);
    await next();
    const ms = performance.now() - start;
    const { status } = c.res;
    const route = routeOf(c);
    const timed = c.var.timed ?? [];
    metrics.observeResponse({ route, status, ms });
    for (const { stages } of timed) metrics.observeStages(stages);
    const model = c.res.headers.get('x-model-version') ?? undefined;
    span?.end({ route, status, model, timed });
    const error = c.error instanceof ApiError ? c.error.cause : c.error;
    log[severity(c.req.path, status)](
      {
        id: c.var.requestId,
        method: c.req.method,
        path: c.req.path.slice(0, MAX_PATH),
        status,
        ms: Math.round(ms * 100) / 100,
        bytes: Number(c.req.header('content-length') ?? 0),
        model,
        code: c.error instanceof ApiError ? c.error.body.code : undefined,
        trace: span?.traceId,
        ...(isFault(status) && error !== undefined && { err: error }),
      },
      'request',
    );
  };
}

/** 503 is a service that is busy, not one that is broken. */
const isFault = (status: number): boolean => status >= 500 && status !== 503;

function severity(path: string, status: number): 'debug' | 'info' | 'warn' | 'error' {
  if (isFault(status)) return 'error';
  if (PROBES.has(path)) return 'debug';
  return status === 503 ? 'warn' : 'info';
}

/** The pattern that a path matched, as one of a few label values: what no route took is `other`. */
function routeOf(c: Context): string {
  const route = routePath(c, -1);
  return route === '' || route === '/*' || route === '*' ? 'other' : route;
}
