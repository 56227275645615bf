import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { accepts } from 'hono/accepts';
import type { ServeConfig } from '../../config/schema.js';
import { ApiError } from '../api_error.js';
import { reportStages } from '../observe/stages.js';
import type { DetectRequest, Found, Model, Models } from '../versions/model.js';
import { buildAnswer, buildRefusal, buildResults } from './answer.js';
import { refuseLarge, type Upload } from './body.js';
import { ImageUrls } from './image_url.js';
import { sayVersion } from './model_version.js';
import { type Format, readQuery } from './query.js';
import { readUploads, refuseEmpty } from './upload.js';

export interface PredictParts {
  models: Models;
  config: Pick<ServeConfig, 'maxBytes' | 'maxFiles' | 'queue' | 'urlHosts' | 'urlTimeout'>;
  /** Where images named by URL come from. */
  urls?: ImageUrls;
}

/** What became of one image of a request. */
interface Outcome {
  upload: Upload;
  imageId: number;
  found: Found | ApiError;
}

interface Env {
  Variables: { model: Model };
}

/** `POST /predict`: finds objects in one image or several. */
export function predictRoutes({ models, config, urls = new ImageUrls(config) }: PredictParts): Hono<Env> {
  const { maxBytes } = config;
  // More images than places would never be taken.
  const maxFiles = Math.min(config.maxFiles, config.queue);
  const app = new Hono<Env>();
  app.post('/predict', leased(models), async (c) => {
    refuseLarge(c, maxBytes);
    const { model } = c.var;
    const { categories } = model.bundle;
    const { imageId, thresholds, format = accepted(c) } = readQuery(new URL(c.req.url).searchParams, categories);
    const { images, list } = await readUploads(c, { maxBytes, maxFiles, urls });
    if (list && format === 'png') throw pngOfSeveral(images.length);
    const requests = images.map(({ bytes }) => ({ bytes, thresholds, draw: format === 'png' }));
    const answers = await detectAll(model, images, requests, c.req.raw.signal);
    const outcomes = images.map((upload, i) => ({ upload, imageId: imageId + i, found: answers[i] }));
    reportTimes(c, answers);
    return render(c, outcomes, model, list, format);
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
 * Takes all images in or none, and waits for all.
 * @throws ApiError for what does not lie in an image
 */
async function detectAll(
  model: Model,
  uploads: readonly Upload[],
  requests: readonly DetectRequest[],
  signal: AbortSignal,
): Promise<(Found | ApiError)[]> {
  const places: ReturnType<Model['admit']>[] = [];
  try {
    for (const _ of requests) places.push(model.admit(signal));
    const all = await Promise.allSettled(
      requests.map(async (request, i) => {
        refuseEmpty(uploads[i]);
        return places[i].detect(request);
      }),
    );
    return all.map((one, i) => {
      if (one.status === 'fulfilled') return one.value;
      if (isOfImage(one.reason)) return withOrigin(one.reason, uploads[i]);
      throw one.reason;
    });
  } finally {
    for (const place of places) place.leave();
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
function reportTimes(c: Context, answers: readonly (Found | ApiError)[]): void {
  const slowest = new Map<string, number>();
  for (const answer of answers) {
    if (answer instanceof ApiError) continue;
    reportStages(c, answer.times);
    for (const [name, ms] of Object.entries(answer.times)) slowest.set(name, Math.max(ms, slowest.get(name) ?? 0));
  }
  if (slowest.size === 0) return;
  c.header('Server-Timing', [...slowest].map(([name, ms]) => `${name};dur=${ms.toFixed(3)}`).join(', '));
}

function render(c: Context, outcomes: readonly Outcome[], { bundle }: Model, list: boolean, format: Format): Response {
  const { categories } = bundle;
  if (format === 'json' && list) {
    return c.json({
      answers: outcomes.map(({ upload: { name }, imageId, found }) =>
        found instanceof ApiError
          ? buildRefusal(name, imageId, found)
          : buildAnswer({ ...found, file_name: name, image_id: imageId }, found.detections, categories),
      ),
    });
  }
  // Neither one image's answer nor a list of results has a place for a refusal.
  const all = outcomes.map(({ found }, i) => {
    if (!(found instanceof ApiError)) return found;
    throw list ? amongSeveral(found, outcomes[i], i) : found;
  });
  if (format === 'coco') {
    return c.json(all.flatMap(({ detections }, i) => buildResults(outcomes[i].imageId, detections, categories)));
  }
  const [found] = all;
  if (format === 'png') return c.body(found.drawn as Uint8Array<ArrayBuffer>, 200, { 'Content-Type': 'image/png' });
  const [{ upload, imageId }] = outcomes;
  return c.json(buildAnswer({ ...found, file_name: upload.name, image_id: imageId }, found.detections, categories));
}

function amongSeveral({ body }: ApiError, { upload }: Outcome, index: number): ApiError {
  const named = upload.name === '' ? '' : ` (${upload.name})`;
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
