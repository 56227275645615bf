import type { Context, Hono, MiddlewareHandler } from 'hono';
import { methodNotAllowed } from 'hono/method-not-allowed';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { didYouMean } from '../../base/errors.js';
import { ApiError, type ErrorBody } from '../api_error.js';

/** Characters of a path that is compared with those known. */
const MAX_PATH = 100;

/** Turns whatever a route throws, and paths without one, into answers with a reason and without a stack trace. */
export function answerFailures(app: Hono): void {
  app.notFound((c) =>
    refuse(c, {
      code: 'unknown_path',
      message: 'There is nothing at this path.',
      expected: 'POST /predict, or a path that GET /openapi.json describes',
      received: c.req.path,
      hint: nearestPath(app, c.req.path),
    }),
  );
  app.onError((error, c) => {
    if (error instanceof ApiError) return answer(c, error);
    return refuse(c, { code: 'internal', message: 'The service failed; its log has the details.' });
  });
}

const refuse = (c: Context, body: ErrorBody): Response => answer(c, new ApiError(body));

function answer(c: Context, { status, body, retryAfter }: ApiError): Response {
  if (retryAfter !== undefined) c.header('Retry-After', String(retryAfter));
  return c.json({ error: body }, status as ContentfulStatusCode);
}

/** The path that was meant, when one is near: a slash more, other letters. */
function nearestPath(app: Hono, path: string): string | undefined {
  const known = app.routes.map((route) => route.path).filter((known) => /^\/[a-z_]/.test(known) && !/[*:]/.test(known));
  const asked = path.slice(0, MAX_PATH).toLowerCase();
  const hint = didYouMean(asked.replace(/(?<=.)\/+$/, ''), [...new Set(known)]);
  return hint.startsWith('Did') ? hint : undefined;
}

/** Answers 405 where a path exists for other methods, and OPTIONS with them. */
export function refuseWrongMethods(app: Hono): MiddlewareHandler {
  return methodNotAllowed({
    app,
    onMethodNotAllowed(c, methods) {
      const allowed = [...methods, 'OPTIONS'].join(', ');
      c.header('Allow', allowed);
      if (c.req.method === 'OPTIONS') return c.body(null, 204);
      return refuse(c, {
        code: 'wrong_method',
        message: 'The path does not support this method.',
        expected: allowed,
        received: c.req.method,
      });
    },
  });
}
