import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';

/** Seconds a browser may remember what a preflight allowed. */
const PREFLIGHT_S = 600;

/**
 * Lets pages of these origins call the service from a browser; `*` is all of them. Never with cookies: keys are sent as
 * headers, by scripts that know them.
 */
export function allowOrigins(origins: readonly string[]): MiddlewareHandler {
  return cors({
    origin: origins.includes('*') ? '*' : [...origins],
    allowMethods: ['GET', 'HEAD', 'POST'],
    allowHeaders: ['Content-Type', 'X-API-Key', 'Authorization', 'X-Request-Id', 'Traceparent'],
    exposeHeaders: ['Server-Timing', 'X-Request-Id', 'X-Model-Version', 'Retry-After'],
    maxAge: PREFLIGHT_S,
  });
}
