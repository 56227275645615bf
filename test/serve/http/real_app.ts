import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Hono } from 'hono';
import * as assert from 'uvu/assert';
import { readJson } from '../../../src/base/files.js';
import { configSchema, type ServeConfig } from '../../../src/config/schema.js';
import { type Bundle, readBundle } from '../../../src/detect/bundle.js';
import { createApp } from '../../../src/serve/app.js';
import type { Answer } from '../../../src/serve/http/answer.js';
import type { Readiness } from '../../../src/serve/http/health.js';
import { Metrics } from '../../../src/serve/observe/metrics.js';
import { serveModels } from '../../../src/serve/serve_models.js';
import type { Models } from '../../../src/serve/versions/model.js';
import type { ModelProcess } from '../../../src/serve/versions/model_process.js';
import { makeBundle } from '../make_bundle.js';

/** A service that wants requests. */
export const READY: Readiness = { draining: false, unready: async () => undefined };

export type Post = (body: RequestInit['body'], type?: string, path?: string) => Promise<Response>;

/** The whole HTTP service of a small real model, without a socket. */
export interface RealApp {
  app: Hono;
  bundle: Bundle;
  image: Buffer<ArrayBuffer>;
  reference: Answer;
  /** The live version; tests may put another `check` or `admit` into it. */
  model: ModelProcess;
  models: Models;
  config: ServeConfig;
  post: Post;
  close(): Promise<void>;
}

export async function realApp(options: Partial<ServeConfig> = {}): Promise<RealApp> {
  const config = { ...configSchema.parse({}).serve, maxBytes: 100_000, maxPixels: 1_000_000, ...options };
  const bundle = await readBundle(await makeBundle());
  const metrics = new Metrics(bundle);
  const versions = serveModels(bundle, config, metrics);
  await versions.open();
  const app = createApp({ models: versions, versions, metrics, config, readiness: READY });
  return {
    app,
    bundle,
    image: await readFile(join(bundle.dir, 'test_image.jpg')),
    reference: await readJson(join(bundle.dir, 'test_result.json')),
    model: versions.models[0],
    models: versions,
    config,
    post: async (body, type, path = '/predict') =>
      app.request(path, { method: 'POST', body, headers: type ? { 'content-type': type } : {} }),
    async close() {
      await versions.close();
      await rm(bundle.dir, { recursive: true });
    },
  };
}

export function form(...parts: [field: string, value: string | File][]): FormData {
  const data = new FormData();
  for (const [field, value] of parts) data.append(field, value);
  return data;
}

export interface Refusal {
  status: number;
  code: string;
  message: string;
  expected?: string;
  received?: unknown;
  hint?: string;
}

/** A refusal, whose reason is complete and free of stack traces. */
export async function refusal(answer: Response | Promise<Response>): Promise<Refusal> {
  const response = await answer;
  assert.match(response.headers.get('content-type') ?? '', 'application/json');
  const { error } = (await response.json()) as { error: Refusal };
  assert.match(error.code, /^[a-z_]+$/);
  assert.type(error.message, 'string');
  assert.not.match(JSON.stringify(error), /\bat .+:\d+:\d+|node_modules/);
  return { ...error, status: response.status };
}

/** Status and code of a refusal. */
export async function statusAndCode(answer: Response | Promise<Response>): Promise<[number, string]> {
  const { status, code } = await refusal(answer);
  return [status, code];
}
