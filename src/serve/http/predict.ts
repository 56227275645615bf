import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { accepts } from 'hono/accepts';
import { z } from 'zod';
import type { ServeConfig } from '../../config/schema.js';
import type { CocoCategory } from '../../detect/coco.js';
import { ApiError } from '../api_error.js';
import type { Ticket } from '../batching/admission.js';
import type { DetectAnswer, DetectRequest } from '../detect_request.js';
import { reportStages } from '../observe/stages.js';
import type { Model, Models } from '../versions/model.js';
import { answerSchema, answersSchema, buildAnswer, buildRefusal, buildResults, resultsSchema } from './answer.js';
import { refuseLarge, type Upload } from './body.js';
import { bytes, describe, inlineSchema, json, type RouteDescription } from './describe.js';
import { ImageUrls } from './image_url.js';
import { jsonBodySchema } from './json_body.js';
import { MODEL_HEADER, sayVersion } from './model_version.js';
import { type Format, PARAMETERS, readQuery } from './query.js';
import { readUploads, refuseEmpty } from './upload.js';

export interface PredictParts {
  models: Models;
  config: Pick<ServeConfig, 'maxBytes' | 'maxFiles' | 'queue' | 'urlHosts' | 'urlTimeout'>;
  /** Where images named by URL come from. */
  urls?: ImageUrls;
}

interface Env {
  Variables: { model: Model };
}

const FILES = {
  type: 'object' as const,
  minProperties: 1,
  description: 'One or several files, in fields of any name; several are answered as a list.',
  additionalProperties: { type: 'string' as const, format: 'binary' },
  properties: { image: { type: 'array' as const, items: { type: 'string' as const, format: 'binary' } } },
};

const PREDICT: RouteDescription = {
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
      ...bytes('image/*', 'application/octet-stream'),
      'multipart/form-data': { schema: FILES },
      ...json(jsonBodySchema, 'input'),
    },
  },
  answers: {
    200: {
      description: 'What was found: of one image, of several, as COCO results, or drawn into the image.',
      headers: {
        ...MODEL_HEADER,
        'Server-Timing': { description: 'Milliseconds of each stage.', schema: { type: 'string' } },
      },
      content: { ...json(z.union([answerSchema, answersSchema, resultsSchema])), ...bytes('image/png') },
    },
  },
  refusals: [400, 401, 403, 408, 413, 415, 422, 429, 503],
  access: 'key',
};

/** `POST /predict`: finds objects in one image or several. */
export function predictRoutes({ models, config, urls = new ImageUrls(config) }: PredictParts): Hono<Env> {
  const { maxBytes } = config;
  // More images than the queue holds would never be admitted.
  const maxFiles = Math.min(config.maxFiles, config.queue);
  const app = new Hono<Env>();
  app.post('/predict', describe(PREDICT), leased(models), async (c) => {
    refuseLarge(c, maxBytes);
    const { model } = c.var;
    const { categories } = model.bundle;
    const { imageId, thresholds, format = accepted(c) } = readQuery(new URL(c.req.url).searchParams, categories);
    const { images, list } = await readUploads(c, { maxBytes, maxFiles, urls });
    if (list && format === 'png') throw pngOfSeveral(images.length);
    const answers = await detectAll(model, images, { thresholds, draw: format === 'png' }, c.req.raw.signal);
    reportTimes(c, answers);
    return render(c, { images, answers, firstId: imageId, list, format }, categories);
  });
  return app;
}

/** Holds one version of the model from before the request is read until it is answered. */
function leased(models: Models): MiddlewareHandler<Env> {
  return async (c, next) => {
    const { model, release } = models.lease();
    try {
      sayVersion(c, model.bundle);
      model.check();
      c.set('model', model);
      await next();
    } finally {
      release();
    }
  };
}

/** The format the client's Accept header prefers. */
function accepted(c: Context): Format {
  const supports = ['application/json', 'image/png'];
  return accepts(c, { header: 'Accept', supports, default: supports[0] }) === 'image/png' ? 'png' : 'json';
}

/**
 * Admits all images or none, and waits for all.
 *
 * @throws ApiError for what does not lie in an image
 */
async function detectAll(
  model: Model,
  images: readonly Upload[],
  asked: Pick<DetectRequest, 'thresholds' | 'draw'>,
  signal: AbortSignal,
): Promise<(DetectAnswer | ApiError)[]> {
  const tickets: Ticket[] = [];
  try {
    for (const _ of images) tickets.push(model.admit());
    const all = await Promise.allSettled(
      images.map(async (image, i) => {
        refuseEmpty(image);
        return model.detect({ bytes: image.bytes, ...asked }, tickets[i], signal);
      }),
    );
    return all.map((one, i) => {
      if (one.status === 'fulfilled') return one.value;
      if (isOfImage(one.reason)) return withOrigin(one.reason, images[i]);
      throw one.reason;
    });
  } finally {
    for (const ticket of tickets) ticket.leave();
  }
}

/** Whether a failure is that of its image alone; any other, overload or a client that has gone, is the request's. */
const isOfImage = (error: unknown): error is ApiError =>
  error instanceof ApiError && [400, 413, 422].includes(error.status);

function withOrigin(error: ApiError, { origin }: Upload): ApiError {
  if (origin === undefined) return error;
  return new ApiError({ ...error.body, message: `${error.body.message} ${origin}` });
}

/** Tells the observers each image's stages, and the browser's network panel the slowest of each. */
function reportTimes(c: Context, answers: readonly (DetectAnswer | ApiError)[]): void {
  const slowest = new Map<string, number>();
  for (const answer of answers) {
    if (answer instanceof ApiError) continue;
    reportStages(c, answer.times);
    for (const [name, ms] of Object.entries(answer.times)) slowest.set(name, Math.max(ms, slowest.get(name) ?? 0));
  }
  if (slowest.size === 0) return;
  c.header('Server-Timing', [...slowest].map(([name, ms]) => `${name};dur=${ms.toFixed(3)}`).join(', '));
}

interface Answers {
  images: readonly Upload[];
  /** Of each image in turn. */
  answers: readonly (DetectAnswer | ApiError)[];
  /** Id of the first image; the next has one more. */
  firstId: number;
  /** Whether the client sent a list, and so expects one. */
  list: boolean;
  format: Format;
}

function render(
  c: Context,
  { images, answers, firstId, list, format }: Answers,
  categories: readonly CocoCategory[],
): Response {
  const answerOf = (found: DetectAnswer, i: number) =>
    buildAnswer({ ...found, file_name: images[i].name, image_id: firstId + i }, found.detections, [...categories]);
  if (format === 'json' && list) {
    return c.json({
      answers: answers.map((one, i) =>
        one instanceof ApiError ? buildRefusal(images[i].name, firstId + i, one) : answerOf(one, i),
      ),
    });
  }
  // Neither one image's answer nor a list of results has a place for a refusal.
  const found = answers.map((one, i) => {
    if (!(one instanceof ApiError)) return one;
    throw list ? amongSeveral(one, images[i], i) : one;
  });
  if (format === 'coco') {
    return c.json(found.flatMap(({ detections }, i) => buildResults(firstId + i, detections, categories)));
  }
  const [only] = found;
  if (format === 'png') return c.body(only.drawn as Uint8Array<ArrayBuffer>, 200, { 'Content-Type': 'image/png' });
  return c.json(answerOf(only, 0));
}

function amongSeveral({ body }: ApiError, { name }: Upload, index: number): ApiError {
  const named = name === '' ? '' : ` (${name})`;
  return new ApiError({ ...body, message: `Image ${index + 1}${named}: ${body.message}` });
}

function pngOfSeveral(received: number): ApiError {
  return new ApiError({
    code: 'png_of_several',
    message: 'A list of images cannot be answered by one image.',
    expected: 'one image, or format=json or coco',
    received,
  });
}
