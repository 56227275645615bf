import type { MiddlewareHandler } from 'hono';
import { type DescribeRouteOptions, describeRoute, resolver } from 'hono-openapi';
import { z } from 'zod';
import { errorBodySchema } from '../api_error.js';

type Responses = NonNullable<DescribeRouteOptions['responses']>;
type Content = Extract<Responses[string], { content?: unknown }>['content'];

const refusalSchema = z
  .strictObject({ error: errorBodySchema })
  .meta({ id: 'Refusal', description: 'The body of every answer that is not a success.' });

const RETRY_AFTER = {
  description: 'Seconds after which to ask again.',
  schema: { type: 'integer', minimum: 1 },
} as const;

/** What each status of a refusal says, on every route. */
const REFUSALS = {
  400: { description: 'The request is malformed; the error names the parameter or field.' },
  401: { description: 'The route needs a key, and none or an unknown one was sent.' },
  403: { description: 'The request is not allowed.' },
  404: { description: 'There is no such thing.' },
  408: { description: 'The request did not arrive in time.' },
  409: { description: 'The request does not fit the present state.' },
  413: { description: 'The body, the image or the list of images is too large.' },
  415: { description: 'The service does not take this type or encoding of a body.' },
  422: { description: 'The body can be read, but holds no intact image.' },
  429: { description: 'Too many requests wait on this connection.' },
  503: { description: 'The service cannot answer in time.', headers: { 'Retry-After': RETRY_AFTER } },
};

/** Names the security schemes of a route: `key` where the service has keys, `admin`, or none. */
export type Access = 'open' | 'key' | 'admin';

/** Extension of an operation by which the document finds its {@link Access}. */
export const ACCESS = 'x-access';

export interface RouteDescription {
  tag: 'detection' | 'model' | 'operation' | 'admin' | 'documentation';
  summary: string;
  description?: string;
  parameters?: DescribeRouteOptions['parameters'];
  requestBody?: DescribeRouteOptions['requestBody'];
  /** Answers of success, by status. */
  answers: Responses;
  /** Statuses of its refusals. */
  refusals?: (keyof typeof REFUSALS)[];
  access?: Access;
}

/**
 * Describes a route for `/openapi.json`; it stands beside the route's handler.
 *
 * @example
 * app.get('/livez', describe({ tag: 'operation', summary: 'Is the process alive?', answers: ok(statusSchema) }), handler);
 */
export function describe({
  tag,
  answers,
  refusals = [],
  access = 'open',
  ...rest
}: RouteDescription): MiddlewareHandler {
  const content = json(refusalSchema);
  const refused = Object.fromEntries(refusals.map((status) => [status, { ...REFUSALS[status], content }]));
  const operation = { tags: [tag], ...rest, responses: { ...answers, ...refused } as Responses, [ACCESS]: access };
  return describeRoute(operation);
}

/** A body of JSON. */
export const json = (schema: z.ZodType, io: 'input' | 'output' = 'output'): Content => ({
  'application/json': { schema: resolver(schema, { io }) },
});

/** A body of bytes. */
export const bytes = (...types: string[]): Content => Object.fromEntries(types.map((type) => [type, { schema: {} }]));

/** The JSON Schema of a parameter. */
export function inlineSchema(schema: z.ZodType): Record<string, unknown> {
  const { $schema, ...inline } = z.toJSONSchema(schema, { io: 'output' });
  return inline;
}
