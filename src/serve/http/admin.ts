import { realpath } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { type Context, Hono } from 'hono';
import { z } from 'zod';
import { UserError } from '../../base/errors.js';
import { ApiError } from '../api_error.js';
import { bearerToken, digestsOf, matchesSecret } from '../security/secrets.js';
import type { VersionInfo, Versions } from '../versions/versions.js';
import { readText, refuseLarge } from './body.js';
import { describe, inlineSchema, json, type RouteDescription } from './describe.js';
import { checkFields, parseJson } from './json_text.js';

/** Bytes of a request's body; the largest names a folder and a version. */
const MAX_BYTES = 10_000;

export interface AdminParts {
  versions: Versions;
  /** The bearer token that requests must show. */
  token: string;
  /** Folder of the bundles that may be loaded; null: none. */
  bundles: string | null;
}

const loadSchema = z.strictObject({
  bundle: z.string().regex(/^[\w-][\w.-]{0,254}$/, 'the name of a folder in serve.bundles'),
});
const shadowSchema = z.strictObject({ version: z.string() });
const canarySchema = z.strictObject({
  version: z.string(),
  share: z.number('a share of the requests, 0–1').min(0, 'at least 0').max(1, 'at most 1'),
});

const versionSchema: z.ZodType<VersionInfo> = z
  .strictObject({
    id: z.string().meta({ description: 'name@version' }),
    created: z.iso.datetime().meta({ description: 'Time of packing.' }),
    role: z.enum(['live', 'canary', 'shadow', 'idle', 'draining']),
    share: z.number().min(0).max(1).optional().meta({ description: 'Share of the requests a canary gets.' }),
    healthy: z.boolean().meta({ description: 'Whether its process is up, or about to be.' }),
    problem: z.string().optional().meta({ description: 'Why it does not start.' }),
    pid: z.int().optional(),
    in_flight: z.int().min(0).meta({ description: 'Requests admitted and not answered yet.' }),
    maxBatch: z.int().min(1).meta({ description: 'Most images in a batch.' }),
    provider: z.enum(['cpu', 'cuda', 'tensorrt']).meta({ description: 'What it runs on.' }),
  })
  .meta({ id: 'LoadedVersion' });
const versionsSchema = z.strictObject({ versions: z.array(versionSchema) }).meta({ id: 'LoadedVersions' });

type Answers = RouteDescription['answers'];
type Rest = Pick<RouteDescription, 'description' | 'parameters' | 'requestBody'>;

const ALL: Answers = { 200: { description: 'All.', content: json(versionsSchema) } };
const DONE: Answers = { 204: { description: 'Done.' } };
const one = (status: 200 | 201 = 200): Answers => ({
  [status]: { description: 'The version.', content: json(versionSchema) },
});
const bodyOf = (schema: z.ZodType) => ({
  required: true,
  content: { 'application/json': { schema: inlineSchema(schema) } },
});

const ID: Rest = {
  parameters: [{ name: 'id', in: 'path', required: true, description: 'name@version', schema: { type: 'string' } }],
};
const LOAD: Rest = {
  description: 'Answers when the version is warm; it gets no requests before it is promoted.',
  requestBody: bodyOf(loadSchema),
};
const RELEASE: Rest = {
  ...ID,
  description: 'Answers when its last requests were answered and its process has ended.',
};
const CANARY: Rest = { requestBody: bodyOf(canarySchema) };
const SHADOW: Rest = {
  description: 'Its answers are compared with those of the live version, and thrown away.',
  requestBody: bodyOf(shadowSchema),
};

function admin(summary: string, answers: Answers, refusals: RouteDescription['refusals'] = [], rest: Rest = {}) {
  return describe({ tag: 'admin', summary, ...rest, answers, refusals: [401, ...refusals], access: 'admin' });
}

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

  app.get('/versions', admin('List the loaded versions', ALL, []), (c) => c.json({ versions: versions.list() }));
  app.post(
    '/versions',
    admin('Load a bundle beside the others', one(201), [400, 404, 409, 413, 422], LOAD),
    async (c) => {
      const { bundle } = await read(loadSchema, c);
      const folder = await bundleFolder(bundles, bundle);
      return c.json(await versions.load(folder).catch((error) => refuseBundle(error, folder)), 201);
    },
  );
  app.post('/versions/:id/promote', admin('Make a loaded version the live one', one(), [404, 409], ID), (c) =>
    c.json(versions.promote(c.req.param('id'))),
  );
  app.post('/rollback', admin('Go back to the version that was live before', one(), [409]), (c) =>
    c.json(versions.rollback()),
  );
  app.delete('/versions/:id', admin('Release a version that is not live', DONE, [404, 409], RELEASE), async (c) => {
    await versions.release(c.req.param('id'));
    return c.body(null, 204);
  });

  app.put(
    '/canary',
    admin('Give a version a share of the requests', one(), [400, 404, 409, 413], CANARY),
    async (c) => {
      const { version: id, share } = await read(canarySchema, c);
      return c.json(versions.setCanary({ id, share }));
    },
  );
  app.delete('/canary', admin('End the canary', DONE, []), (c) => {
    versions.endCanary();
    return c.body(null, 204);
  });
  app.put('/shadow', admin('Send a version copies of the requests', one(), [400, 404, 409, 413], SHADOW), async (c) =>
    c.json(versions.setShadow((await read(shadowSchema, c)).version)),
  );
  app.delete('/shadow', admin('End the shadow', DONE, []), (c) => {
    versions.endShadow();
    return c.body(null, 204);
  });
  return app;
}

const read = async <T>(schema: z.ZodType<T>, c: Context): Promise<T> =>
  checkFields(schema, parseJson(await readText(c, MAX_BYTES)));

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
