import type { Hono } from 'hono';
import { generateSpecs } from 'hono-openapi';
import { packageLicense, packageVersion } from '../../base/package.js';
import { ACCESS, type Access } from './describe.js';

export interface DocumentOptions {
  /** Whether clients need a key. */
  keys: boolean;
  /** Whether versions can be changed. */
  admin: boolean;
}

/** The routes of a service, as `describe` says beside each, in OpenAPI 3.1; https://spec.openapis.org/oas/v3.1.1 */
export async function openApiDocument(app: Hono, { keys, admin }: DocumentOptions) {
  const document = await generateSpecs(app, {
    excludeStaticFile: false,
    documentation: {
      openapi: '3.1.1',
      info: {
        title: 'yolox-node',
        version: packageVersion,
        summary: 'Finds objects in images.',
        description: 'Every refusal has a body that says what was wrong, what is expected, and what to do.',
        license: { name: packageLicense, identifier: packageLicense },
      },
      // Relative to this document, so that it holds behind a proxy as well.
      servers: [{ url: '.' }],
      tags: [
        { name: 'detection', description: 'Images in, objects out.' },
        { name: 'model', description: 'What the live model says of itself.' },
        { name: 'operation', description: 'For orchestrators and monitoring.' },
        ...(admin ? [{ name: 'admin', description: 'Other versions of the model, without interruption.' }] : []),
        { name: 'documentation' },
      ],
      components: {
        securitySchemes: {
          ...(keys && {
            apiKey: { type: 'apiKey' as const, in: 'header', name: 'X-API-Key' },
            bearer: { type: 'http' as const, scheme: 'bearer', description: 'The same key.' },
          }),
          ...(admin && { admin: { type: 'http' as const, scheme: 'bearer', description: 'The admin token.' } }),
        },
      },
    },
  });
  const schemes: Record<Access, Record<string, string[]>[]> = {
    open: [],
    key: keys ? [{ apiKey: [] }, { bearer: [] }] : [],
    admin: [{ admin: [] }],
  };
  for (const [path, methods] of Object.entries(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(methods ?? {})) {
      const { [ACCESS]: access = 'open', ...rest } = operation as { [ACCESS]?: Access };
      // Generators of clients make it the name of a function: `post_predict`.
      const operationId = `${method}${path.replace(/\W+/g, '_').replace(/_$/, '')}`;
      Object.assign(methods as object, { [method]: { ...rest, operationId, security: schemes[access] } });
    }
  }
  return document;
}
