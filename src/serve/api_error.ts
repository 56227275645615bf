import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Reason } from './http/reason.js';

/** A request that cannot be answered as asked; becomes its status and reason. */
export class HttpProblem extends Error {
  readonly status: ContentfulStatusCode;
  readonly reason: Reason;
  /** Seconds after which the same request may do better. */
  readonly retryAfter?: number;

  constructor(
    status: ContentfulStatusCode,
    reason: Reason,
    { retryAfter, ...options }: ErrorOptions & { retryAfter?: number } = {},
  ) {
    super(reason.message, options);
    this.status = status;
    this.reason = reason;
    this.retryAfter = retryAfter;
  }
}

/** The answer for a problem. */
export function refuse(c: Context, status: ContentfulStatusCode, reason: Reason): Response {
  return c.json({ error: reason }, status);
}

/** The client left before its answer. Nobody reads it; the status, nginx's, is for the log and the metrics. */
export function clientGone(cause?: unknown): HttpProblem {
  const reason = { code: 'client_gone', message: 'The client has gone.' };
  return new HttpProblem(499 as ContentfulStatusCode, reason, { cause });
}
