import { packageLicense, packageVersion } from '../../../base/package.js';
import { ADMIN_ANSWERS, adminPaths } from './admin.js';
import { named } from './operation.js';
import { servicePaths } from './paths.js';
import { componentSchemas } from './schemas.js';

export interface DocumentOptions {
  /** Whether clients need a key. */
  keys: boolean;
  /** Whether versions can be changed. */
  admin: boolean;
}

/** The service as an OpenAPI 3.1 document; https://spec.openapis.org/oas/v3.1.1 */
export function openApiDocument({ keys, admin }: DocumentOptions) {
  return {
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
    paths: named({ ...servicePaths(keys ? [{ apiKey: [] }, { bearer: [] }] : []), ...(admin && adminPaths()) }),
    components: {
      schemas: componentSchemas(admin ? ADMIN_ANSWERS : []),
      securitySchemes: {
        ...(keys && {
          apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
          bearer: { type: 'http', scheme: 'bearer', description: 'The same key.' },
        }),
        ...(admin && { admin: { type: 'http', scheme: 'bearer', description: 'The admin token.' } }),
      },
    },
  };
}
