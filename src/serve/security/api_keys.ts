import type { MiddlewareHandler } from 'hono';
import { UserError } from '../../base/errors.js';
import { readText } from '../../base/files.js';
import { configSchema, type ServeConfig } from '../../config/schema.js';
import { ApiError } from '../api_error.js';
import { bearerToken, digestsOf, matchesSecret } from './secrets.js';

/** Public paths: probes cannot send keys, and the page and the description of the service hold no data. */
const OPEN = new Set(['/', '/healthz', '/livez', '/readyz', '/openapi.json', '/favicon.ico', '/favicon.svg']);
/** Public trees; `/admin` asks for a token of its own. */
const OPEN_TREES = /^\/(page|docs|admin)(\/|$)/;

/**
 * The configuration with the keys of `apiKeysFile` among its `apiKeys`.
 * @throws UserError for a file that cannot be read, or a line that is no key; the line is not shown
 */
export async function readApiKeys(config: ServeConfig): Promise<ServeConfig> {
  const { apiKeysFile: where } = config;
  if (where === null) return config;
  const lines = (await readText(where)).split('\n').map((line) => line.replace(/#.*/, '').trim());
  const keys = lines.filter((line) => line !== '');
  if (keys.length === 0) throw new UserError({ where, expected: 'at least one key, one per line' });
  const checked = configSchema.shape.serve.unwrap().shape.apiKeys.safeParse(keys);
  if (!checked.success) {
    const { path, message } = checked.error.issues[0];
    const field = `line ${lines.indexOf(keys[Number(path[0])]) + 1}`;
    throw new UserError({ where, field, expected: message, hint: 'For example: openssl rand -hex 32.' });
  }
  return { ...config, apiKeys: [...config.apiKeys, ...checked.data] };
}

/** Answers 401 to requests without a valid key, except on open paths. */
export function requireApiKey({
  apiKeys,
  openMetrics,
}: Pick<ServeConfig, 'apiKeys' | 'openMetrics'>): MiddlewareHandler {
  const known = digestsOf(apiKeys);
  const isOpen = (path: string) => OPEN.has(path) || OPEN_TREES.test(path) || (openMetrics && path === '/metrics');
  return async (c, next) => {
    const given = c.req.header('x-api-key') ?? bearerToken(c);
    if (isOpen(c.req.path) || matchesSecret(given, known)) return next();
    c.header('WWW-Authenticate', 'Bearer realm="yolox"');
    throw new ApiError({
      code: 'wrong_key',
      message: given === undefined ? 'This path needs an API key.' : 'The API key is not known.',
      expected: 'a key of this service as X-API-Key, or as Authorization: Bearer',
    });
  };
}
