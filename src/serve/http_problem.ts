import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

/** Why a request was refused: the body of every answer outside 2xx, as `{"error": …}`. */
export interface Reason {
  /** For programs: stable, snake_case. */
  code: string;
  message: string;
  expected?: string;
  received?: unknown;
  hint?: string;
}

/** A request that cannot be answered as asked; becomes its status and reason. */
export class HttpProblem extends Error {
  readonly status: ContentfulStatusCode;
  readonly reason: Reason;

  constructor(status: ContentfulStatusCode, reason: Reason, options?: ErrorOptions) {
    super(reason.message, options);
    this.status = status;
    this.reason = reason;
  }
}

/** The answer for a problem. */
export function refuse(c: Context, status: ContentfulStatusCode, reason: Reason): Response {
  return c.json({ error: reason }, status);
}
