import { realpath } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { type Context, Hono } from 'hono';
import { z } from 'zod';
import { UserError } from '../../base/errors.js';
import { ApiError } from '../api_error.js';
import { bearerToken, digestsOf, matchesSecret } from '../security/secrets.js';
import type { Versions } from '../versions/versions.js';
import { readText, refuseLarge } from './body.js';
import { parseJson } from './json_text.js';

/** Bytes of a request's body; the largest names a folder and a version. */
const MAX_BYTES = 10_000;

export interface AdminParts {
  versions: Versions;
  /** The bearer token that requests must show. */
  token: string;
  /** Folder of the bundles that may be loaded; null: none. */
  bundles: string | null;
}

export const loadSchema = z.strictObject({
  bundle: z.string().regex(/^[\w-][\w.-]{0,254}$/, 'the name of a folder in serve.bundles'),
});
export const shadowSchema = z.strictObject({ version: z.string() });
export const canarySchema = z.strictObject({
  version: z.string(),
  share: z.number('a share of the requests, 0–1').min(0, 'at least 0').max(1, 'at most 1'),
});

/** Loads, promotes and releases versions of the model: `/admin/versions`, `/admin/canary` and the like. */
export function adminRoutes({ versions, token, bundles }: AdminParts): Hono {
  const known = digestsOf([token]);
  const app = new Hono().basePath('/admin');

  app.use(async (c, next) => {
    if (!matchesSecret(bearerToken(c), known)) {
      c.header('WWW-Authenticate', 'Bearer realm="yolox admin"');
      throw new ApiError({
        code: 'wrong_token',
        message: 'The admin API needs its token.',
        expected: 'Authorization: Bearer, and serve.adminToken',
      });
    }
    c.header('Cache-Control', 'no-store');
    refuseLarge(c, MAX_BYTES);
    await next();
  });

  app.get('/versions', (c) => c.json({ versions: versions.list() }));
  app.post('/versions', async (c) => {
    const { bundle } = await read(loadSchema, c);
    const folder = await bundleFolder(bundles, bundle);
    return c.json(await versions.load(folder).catch((error) => refuseBundle(error, folder)), 201);
  });
  app.post('/versions/:id/promote', (c) => c.json(versions.promote(c.req.param('id'))));
  app.post('/rollback', (c) => c.json(versions.rollback()));
  app.delete('/versions/:id', async (c) => {
    await versions.release(c.req.param('id'));
    return c.body(null, 204);
  });

  app.put('/canary', async (c) => {
    const { version: id, share } = await read(canarySchema, c);
    return c.json(versions.setCanary({ id, share }));
  });
  app.delete('/canary', (c) => {
    versions.endCanary();
    return c.body(null, 204);
  });
  app.put('/shadow', async (c) => c.json(versions.setShadow((await read(shadowSchema, c)).version)));
  app.delete('/shadow', (c) => {
    versions.endShadow();
    return c.body(null, 204);
  });
  return app;
}

async function read<T>(schema: z.ZodType<T>, c: Context): Promise<T> {
  const parsed = schema.safeParse(parseJson(await readText(c, MAX_BYTES)));
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  throw new ApiError({
    code: 'bad_field',
    message: path.length > 0 ? `The field ${path.join('.')} of the JSON body is wrong.` : 'The JSON body is wrong.',
    expected: message.replace(/^Invalid input: expected /, ''),
  });
}

/** A folder directly in the allowed one, also after symbolic links were followed. */
async function bundleFolder(root: string | null, name: string): Promise<string> {
  if (root === null) {
    throw new ApiError({
      code: 'no_bundles',
      message: 'The service may load no bundles.',
      hint: 'Start it with --serve.bundles, a folder that contains them.',
    });
  }
  const unknown = new ApiError({ code: 'unknown_bundle', message: 'No such bundle.', received: name });
  const [allowed, folder] = await Promise.all([root, join(root, name)].map((path) => realpath(path))).catch(() => {
    throw unknown;
  });
  if (/^\.\.(\/|$)|^$/.test(relative(allowed, folder))) throw unknown;
  return folder;
}

function refuseBundle(cause: unknown, folder: string): never {
  if (!(cause instanceof UserError)) throw cause;
  const { where, field, expected, received, hint } = cause.problem;
  // Messages are written for operators on this machine; the path of the bundles must not leave it.
  const inside = (text: unknown) => (typeof text === 'string' ? text.replaceAll(folder, basename(folder)) : text);
  throw new ApiError(
    {
      code: 'unusable_bundle',
      message: `The bundle cannot be served: ${[inside(where), field].filter(Boolean).join(': ')}.`,
      expected,
      received: inside(received),
      hint,
    },
    { cause },
  );
}
