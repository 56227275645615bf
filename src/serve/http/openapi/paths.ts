import { PARAMETERS } from '../query.js';
import { bytes, forMethods, json, operation, type Part } from './operation.js';
import { inlineSchema } from './schemas.js';

type Security = Part[];

const MODEL_VERSION = { description: 'name@version of the model that answered.', schema: { type: 'string' } };
const SERVER_TIMING = { description: 'Milliseconds of each stage.', schema: { type: 'string' } };
const modelHeaders = { 'X-Model-Version': MODEL_VERSION };

const FILES = {
  type: 'object',
  minProperties: 1,
  description: 'One or several files, in fields of any name; several are answered as a list.',
  additionalProperties: { type: 'string', format: 'binary' },
  properties: { image: { type: 'array', items: { type: 'string', format: 'binary' } } },
};

const predict = (security: Security): Part =>
  operation({
    tag: 'detection',
    summary: 'Find objects in one image or several',
    description:
      'A list of images is answered by a list. Of several, those that are no intact images have an `error` in place ' +
      'of objects in `format=json`, and make the other formats fail as a whole. `Accept: image/png` is `format=png`.',
    parameters: Object.entries(PARAMETERS).map(([name, { schema, about }]) => ({
      name,
      in: 'query',
      description: about,
      schema: inlineSchema(schema),
    })),
    requestBody: {
      required: true,
      content: {
        ...bytes('image/*'),
        ...bytes('application/octet-stream'),
        'multipart/form-data': { schema: FILES },
        ...(json('ImagesInJson').content as Part),
      },
    },
    answers: {
      200: {
        description: 'What was found: of one image, of several, as COCO results, or drawn into the image.',
        headers: { ...modelHeaders, 'Server-Timing': SERVER_TIMING },
        content: { ...(json('Answer', 'Answers', 'CocoResults').content as Part), ...bytes('image/png') },
      },
    },
    problems: [400, 401, 403, 408, 413, 415, 422, 429, 503],
    security,
  });

const READ = ['get', 'post'];
const CACHED = { ETag: { description: 'Checksum of the content.', schema: { type: 'string' } } };

const info = (security: Security, summary: string, content: Part, headers: Part = CACHED): Part =>
  forMethods(
    READ,
    operation({
      tag: 'model',
      summary,
      answers: { 200: { description: summary, headers: { ...modelHeaders, ...headers }, content } },
      problems: [401],
      security,
    }),
  );

const probe = (summary: string, problems: 503[] = []): Part => ({
  get: operation({ tag: 'operation', summary, answers: { 200: { description: 'Yes.', ...json('Status') } }, problems }),
});

/** A file for browsers. */
const file = (summary: string, type: string): Part => ({
  get: operation({ tag: 'documentation', summary, answers: { 200: { description: summary, content: bytes(type) } } }),
});

/** What the service offers, by path; `security` is what most of it asks for. */
export function servicePaths(security: Security): Record<string, Part> {
  return {
    '/predict': { post: predict(security) },
    '/test_data': info(security, 'An image to try the service with', bytes('image/jpeg')),
    '/test_result': info(security, 'The answer that image must get', json('Answer').content as Part),
    '/service_version': info(security, 'Name and version of the live model', json('Version').content as Part, {}),
    '/healthz': probe('Is the process alive?'),
    '/livez': probe('Is the process alive?'),
    '/readyz': probe('Does it want requests? Not while it warms up or shuts down.', [503]),
    '/metrics': {
      get: operation({
        tag: 'operation',
        summary: 'Metrics for Prometheus',
        answers: { 200: { description: 'Text format 0.0.4.', content: bytes('text/plain') } },
        problems: [401],
        security,
      }),
    },
    '/openapi.json': file('This description', 'application/json'),
    '/docs': file('The same to read and to try', 'text/html'),
    '/': file('A page to try the model on images', 'text/html'),
  };
}
