import { z } from 'zod';
import type { VersionInfo } from '../../versions/versions.js';
import { canarySchema, loadSchema, shadowSchema } from '../admin.js';
import { json, type OperationOptions, operation, type Part } from './operation.js';
import { inlineSchema } from './schemas.js';

const infoSchema: z.ZodType<VersionInfo> = z
  .strictObject({
    id: z.string().meta({ description: 'name@version' }),
    created: z.iso.datetime().meta({ description: 'Time of packing.' }),
    role: z.enum(['live', 'canary', 'shadow', 'idle', 'draining']),
    share: z.number().min(0).max(1).optional().meta({ description: 'Share of the requests a canary gets.' }),
    healthy: z.boolean().meta({ description: 'Whether its process is up, or about to be.' }),
    problem: z.string().optional().meta({ description: 'Why it does not start.' }),
    pid: z.int().optional(),
    in_flight: z.int().min(0).meta({ description: 'Requests in hand.' }),
    maxBatch: z.int().min(1).meta({ description: 'Most images it runs at once.' }),
    provider: z.enum(['cpu', 'cuda', 'tensorrt']).meta({ description: 'What it runs on.' }),
  })
  .meta({ id: 'LoadedVersion' });

const listSchema = z.strictObject({ versions: z.array(infoSchema) }).meta({ id: 'LoadedVersions' });

/** What the admin API answers. */
export const ADMIN_ANSWERS: z.ZodType[] = [infoSchema, listSchema];

const DONE: Record<string, Part> = { 204: { description: 'Done.' } };
const ID: Part = { name: 'id', in: 'path', required: true, description: 'name@version', schema: { type: 'string' } };

type Rest = Pick<OperationOptions, 'description' | 'parameters' | 'requestBody'>;
type Problems = NonNullable<OperationOptions['problems']>;

const admin = (summary: string, answers: Record<string, Part>, problems: Problems, rest: Rest = {}): Part =>
  operation({ tag: 'admin', summary, ...rest, answers, problems: [401, ...problems], security: [{ admin: [] }] });

const one = (status: 200 | 201 = 200): Record<string, Part> => ({
  [status]: { description: 'The version.', ...json('LoadedVersion') },
});

const body = (schema: z.ZodType): Part => ({
  required: true,
  content: { 'application/json': { schema: inlineSchema(schema) } },
});

/** Changing the model without interruption, by path. */
export function adminPaths(): Record<string, Part> {
  return {
    '/admin/versions': {
      get: admin('List the loaded versions', { 200: { description: 'All.', ...json('LoadedVersions') } }, []),
      post: admin('Load a bundle beside the others', one(201), [400, 404, 409, 413, 422], {
        description: 'Answers when the version is warm; it gets no requests before it is promoted.',
        requestBody: body(loadSchema),
      }),
    },
    '/admin/versions/{id}': {
      delete: admin('Release a version that is not live', DONE, [404, 409], {
        description: 'Answers when its last requests were answered and its process has ended.',
        parameters: [ID],
      }),
    },
    '/admin/versions/{id}/promote': {
      post: admin('Make a loaded version the live one', one(), [404, 409], { parameters: [ID] }),
    },
    '/admin/rollback': { post: admin('Go back to the version that was live before', one(), [409]) },
    '/admin/canary': {
      put: admin('Give a version a share of the requests', one(), [400, 404, 409, 413], {
        requestBody: body(canarySchema),
      }),
      delete: admin('End the canary', DONE, []),
    },
    '/admin/shadow': {
      put: admin('Send a version copies of the requests', one(), [400, 404, 409, 413], {
        description: 'Its answers are compared with those of the live version, and thrown away.',
        requestBody: body(shadowSchema),
      }),
      delete: admin('End the shadow', DONE, []),
    },
  };
}
