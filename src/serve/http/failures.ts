import type { Hono, MiddlewareHandler } from 'hono';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { HttpProblem, refuse } from './http_problem.js';

/** Turns whatever a route throws, and paths without one, into answers with a reason and without a stack trace. */
export function answerFailures(app: Hono): void {
  app.notFound((c) =>
    refuse(c, 404, {
      code: 'unknown_path',
      message: 'There is nothing at this path.',
      expected: 'POST /predict, or a path that GET /openapi.json describes',
      received: c.req.path,
    }),
  );
  app.onError((error, c) => {
    if (error instanceof HttpProblem) {
      if (error.retryAfter !== undefined) c.header('Retry-After', String(error.retryAfter));
      return refuse(c, error.status, error.reason);
    }
    return refuse(c, 500, { code: 'internal', message: 'The service failed; its log has the details.' });
  });
}

/** Answers 405 where a path exists for other methods, and OPTIONS with them. */
export function refuseWrongMethods(app: Hono): MiddlewareHandler {
  return methodNotAllowed({
    app,
    onMethodNotAllowed(c, methods) {
      const allowed = [...methods, 'OPTIONS'].join(', ');
      c.header('Allow', allowed);
      if (c.req.method === 'OPTIONS') return c.body(null, 204);
      return refuse(c, 405, {
        code: 'wrong_method',
        message: 'The path does not take this method.',
        expected: allowed,
        received: c.req.method,
      });
    },
  });
}
