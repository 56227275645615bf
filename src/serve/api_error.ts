import { z } from 'zod';

/** HTTP status of every error code. Where HTTP has none, the status is nginx's: 499 for a client that left. */
export const ERROR_STATUS = {
  already_loaded: 409,
  bad_body: 400,
  bad_field: 400,
  bad_image_id: 400,
  bad_parameter: 400,
  bad_request: 400,
  bad_url: 400,
  client_gone: 499,
  cut_off: 400,
  deadline_passed: 503,
  empty_body: 400,
  head_too_large: 431,
  internal: 500,
  is_live: 409,
  malformed_body: 400,
  malformed_request: 400,
  model_down: 503,
  no_bundles: 409,
  no_host: 400,
  not_files: 400,
  not_ready: 503,
  nothing_to_roll_back: 409,
  other_categories: 409,
  overloaded: 503,
  png_of_several: 400,
  repeated_key: 400,
  request_timeout: 408,
  too_large: 413,
  too_many_connections: 503,
  too_many_images: 413,
  too_many_parts: 413,
  too_many_pixels: 413,
  too_many_requests: 429,
  too_slow: 413,
  undecodable: 422,
  unfetchable: 422,
  unknown_bundle: 404,
  unknown_expectation: 417,
  unknown_parameter: 400,
  unknown_path: 404,
  unknown_version: 404,
  unsupported_encoding: 415,
  unsupported_type: 415,
  unusable_bundle: 422,
  url_forbidden: 403,
  version_down: 409,
  wrong_key: 401,
  wrong_method: 405,
  wrong_token: 401,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

export const errorBodySchema = z
  .strictObject({
    code: z.enum(Object.keys(ERROR_STATUS) as ErrorCode[]).meta({ description: 'For programs: stable, snake_case.' }),
    message: z.string(),
    expected: z.string().optional(),
    received: z.unknown().optional(),
    hint: z.string().optional().meta({ description: 'What to do.' }),
  })
  .meta({ id: 'ErrorBody', description: 'Why a request, or one image of it, was refused.' });

/** What a refusal says: the body of every answer outside 2xx is `{"error": …}` with one of these. */
export type ErrorBody = z.infer<typeof errorBodySchema>;

/**
 * A request, or one image of it, that the service refuses. Any part of the service throws it; the code stands for the
 * HTTP status (see {@link ERROR_STATUS}).
 */
export class ApiError extends Error {
  readonly body: ErrorBody;
  /** Seconds after which the same request may succeed. */
  readonly retryAfter?: number;

  constructor(body: ErrorBody, { retryAfter, ...options }: ErrorOptions & { retryAfter?: number } = {}) {
    super(body.message, options);
    this.body = body;
    this.retryAfter = retryAfter;
  }

  /** HTTP status of its code. */
  get status(): (typeof ERROR_STATUS)[ErrorCode] {
    return ERROR_STATUS[this.body.code];
  }
}

/** The client disconnected before its answer. Only the log and the metrics see this error. */
export const clientGone = (cause?: unknown): ApiError =>
  new ApiError({ code: 'client_gone', message: 'The client has gone.' }, { cause });
