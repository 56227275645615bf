import { Hono } from 'hono';
import type { ServeConfig } from '../config/schema.js';
import { adminRoutes } from './http/admin.js';
import { docsRoutes } from './http/docs.js';
import { answerFailures, refuseWrongMethods } from './http/failures.js';
import { healthRoutes, type Readiness } from './http/health.js';
import { infoRoutes } from './http/info.js';
import { pageRoutes } from './http/page.js';
import { predictRoutes } from './http/predict.js';
import { createLog, type Logger } from './observe/log.js';
import type { Metrics } from './observe/metrics.js';
import { identifyRequests, observeRequests } from './observe/requests.js';
import type { Traces } from './observe/traces.js';
import { requireApiKey } from './security/api_keys.js';
import { allowOrigins } from './security/cors.js';
import { securityHeaders } from './security/headers.js';
import type { Models } from './versions/model.js';
import type { Versions } from './versions/versions.js';

export interface AppParts {
  models: Models;
  /** The same, for operators to change; without them, or a token for it, there is no `/admin`. */
  versions?: Versions;
  metrics: Metrics;
  config: ServeConfig;
  readiness: Readiness;
  /** Nothing is logged without one. */
  log?: Logger;
  traces?: Traces;
}

/** The HTTP service of a model. Bad input is answered 4xx with a reason, see `ErrorBody`. */
export function createApp(parts: AppParts): Hono {
  const { models, versions, metrics, config, readiness, log = createLog('silent'), traces } = parts;
  const app = new Hono();
  answerFailures(app);

  app.use(identifyRequests(), observeRequests({ metrics, log, traces }));
  // A connection kept alive would hold up the shutdown.
  app.use(async (c, next) => {
    await next();
    if (readiness.draining) c.header('Connection', 'close');
  });
  app.use(securityHeaders());
  if (config.cors.length > 0) app.use(allowOrigins(config.cors));
  if (config.apiKeys.length > 0) app.use(requireApiKey(config));
  app.use(refuseWrongMethods(app));

  app.route('/', predictRoutes({ models, config }));
  app.route('/', infoRoutes(models));
  app.route('/', healthRoutes(readiness, metrics));
  const { adminToken: token, bundles } = config;
  const admin = versions !== undefined && token !== null;
  if (admin) app.route('/', adminRoutes({ versions, token, bundles }));
  app.route('/', docsRoutes(app, { keys: config.apiKeys.length > 0, admin }));
  app.route('/', pageRoutes());
  return app;
}
