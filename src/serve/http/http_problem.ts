import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { z } from 'zod';

export const reasonSchema = z
  .strictObject({
    code: z.string().meta({ description: 'For programs: stable, snake_case.' }),
    message: z.string(),
    expected: z.string().optional(),
    received: z.unknown().optional(),
    hint: z.string().optional().meta({ description: 'The remedy.' }),
  })
  .meta({ id: 'Reason', description: 'Why a request, or one picture of it, was refused.' });

/** Why a request was refused: the body of every answer outside 2xx, as `{"error": …}`. */
export type Reason = z.infer<typeof reasonSchema>;

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
