import { reference } from './schemas.js';

/** Part of an OpenAPI document. */
export type Part = Record<string, unknown>;

export interface OperationOptions {
  tag: string;
  summary: string;
  description?: string;
  parameters?: Part[];
  requestBody?: Part;
  /** Answers of success, by status. */
  answers: Record<string, Part>;
  /** Statuses it may be refused with. */
  problems?: (keyof typeof PROBLEMS)[];
  /** Who may ask; everybody without. */
  security?: Part[];
}

const RETRY_AFTER = { description: 'Seconds after which to ask again.', schema: { type: 'integer', minimum: 1 } };

/** What each status says, whatever was asked. */
const PROBLEMS = {
  400: { description: 'The request is malformed; the reason names the parameter or field.' },
  401: { description: 'It takes a key, and none or an unknown one was sent.' },
  403: { description: 'It is not allowed.' },
  404: { description: 'There is no such thing.' },
  408: { description: 'It did not come in time.' },
  409: { description: 'It does not fit the present state.' },
  413: { description: 'The body, the image or the list of images is too large.' },
  415: { description: 'The type or encoding of the body is not taken.' },
  422: { description: 'What was sent can be read, but is no intact image.' },
  429: { description: 'Too many requests wait on this connection.' },
  503: { description: 'There is more to do than can be done in time.', headers: { 'Retry-After': RETRY_AFTER } },
};

/** One method of one path. */
export function operation({ tag, answers, problems = [], security = [], ...rest }: OperationOptions): Part {
  const refusals = problems.map((status) => [status, { ...PROBLEMS[status], ...json('Problem') }]);
  return { tags: [tag], ...rest, security, responses: { ...answers, ...Object.fromEntries(refusals) } };
}

/** A body of JSON in one of the shapes. */
export function json(...names: string[]): Part {
  const schema = names.length === 1 ? reference(names[0]) : { anyOf: names.map(reference) };
  return { content: { 'application/json': { schema } } };
}

/** A body of bytes. */
export const bytes = (type: string): Part => ({ [type]: { schema: {} } });

/** The same operation for each method. */
export const forMethods = (methods: readonly string[], part: Part): Part =>
  Object.fromEntries(methods.map((method) => [method, part]));

/** Gives every operation a name of its own, which generators of clients make a function's: `post_predict`. */
export const named = (paths: Record<string, Part>): Record<string, Part> =>
  Object.fromEntries(
    Object.entries(paths).map(([path, methods]) => [
      path,
      Object.fromEntries(
        Object.entries(methods).map(([method, part]) => {
          const operationId = `${method}${path.replace(/\W+/g, '_').replace(/_$/, '')}`;
          return [method, { operationId, ...(part as Part) }];
        }),
      ),
    ]),
  );
