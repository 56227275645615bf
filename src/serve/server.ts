import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { UserError } from '../base/errors.js';
import { explainFileError } from '../base/file_errors.js';
import type { ServeConfig } from '../config/schema.js';
import { readBundle } from '../detect/bundle.js';
import { createApp } from './app.js';
import type { Readiness } from './http/health.js';
import { createLog, flushLog, type Logger } from './observe/log.js';
import { Metrics } from './observe/metrics.js';
import { openTraces } from './observe/traces.js';
import { readApiKeys } from './security/api_keys.js';
import { Connections } from './security/connections.js';
import { httpServerOptions, standstill } from './security/http_limits.js';
import { answerBadRequest, answerMalformed, lacksHost, refuseHostless } from './security/plain_answer.js';
import { serveModels } from './serve_models.js';

/** Name of the service in requests that say none: HTTP/1.0. */
const NO_HOST = 'localhost';

/** Seconds that requests in flight are given to finish after a signal. */
const DRAIN_S = 10;

export interface RunningServer {
  /** `http://host:port`, with the port that was really taken. */
  url: string;
  /** Takes no more connections, finishes what is in flight for a limited time, ends the models. */
  close(): Promise<void>;
}

/**
 * Serves a bundle; resolves when the model is warm. The log is on stderr unless another is given.
 * @throws UserError for a bad bundle or key file, or an address that cannot be listened on.
 */
export async function startServer(
  bundleDir: string,
  given: ServeConfig,
  log: Logger = createLog(given.logLevel),
): Promise<RunningServer> {
  const [bundle, config] = await Promise.all([readBundle(bundleDir), readApiKeys(given), checkBundles(given)]);
  const traces = await openTraces(config.otlp, log);
  const metrics = new Metrics(bundle);
  const versions = serveModels(bundle, config, metrics, log);
  const forget = logUncaught(log);
  let draining = false;
  const readiness: Readiness = {
    get draining() {
      return draining;
    },
    unready: async () => (draining ? 'The service is shutting down.' : versions.unready()),
  };
  const app = createApp({ models: versions, versions, metrics, config, readiness, log, traces });
  const server = createHttpServer(app, config, metrics);
  const close = async () => {
    draining = true;
    if (server.listening) await drain(server);
    await versions.close();
    await traces?.close();
    forget();
    await flushLog(log);
  };
  try {
    const url = await listen(server, config);
    await versions.open();
    return { url, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Logs the stack of an error of ours that ends the process. @returns a function that takes it back */
function logUncaught(log: Logger): () => void {
  const tell = (err: Error) => log.fatal({ err }, 'uncaught error');
  process.on('uncaughtExceptionMonitor', tell);
  return () => process.off('uncaughtExceptionMonitor', tell);
}

/** @throws UserError when there is no folder of bundles to load: a typing error would show at the first load only */
async function checkBundles({ bundles }: ServeConfig): Promise<void> {
  if (bundles === null) return;
  const found = await stat(bundles).catch((error: unknown) => {
    throw explainFileError(error, bundles);
  });
  if (!found.isDirectory()) {
    throw new UserError({ where: 'serve.bundles', expected: 'a folder of bundles', received: bundles });
  }
}

/** The server of an application: with its limits, and answers of one shape also where no request reaches it. */
function createHttpServer(app: Hono, config: ServeConfig, metrics: Metrics): Server {
  const onAnswer = (status: number) => metrics.observeResponse({ route: 'other', status, ms: 0 });
  const connections = new Connections(config, () => metrics.countRefusedConnection());
  const handle = getRequestListener(app.fetch, { hostname: NO_HOST, errorHandler: answerBadRequest });
  const server = createServer(httpServerOptions(config), (incoming, outgoing) => {
    const hostless = lacksHost(incoming);
    if (hostless) onAnswer(400);
    connections.handle(incoming, outgoing, hostless ? refuseHostless : handle);
  });
  connections.watch(server);
  answerMalformed(server, onAnswer);
  server.timeout = standstill(config);
  return server;
}

async function listen(server: Server, { host, port }: ServeConfig): Promise<string> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw unusableAddress(host, port, cause as NodeJS.ErrnoException);
  }
  const { address, family, port: taken } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${taken}`;
}

function unusableAddress(host: string, port: number, cause: NodeJS.ErrnoException): UserError {
  const received = cause.code;
  const where = `${host}:${port}`;
  if (received === 'EADDRINUSE') {
    const hint = 'Stop the other program, choose another --port, or let --port 0 find a free one.';
    return new UserError({ where, field: 'port', expected: 'a port that is not in use', received, hint }, { cause });
  }
  if (received === 'EACCES') {
    const hint = 'Ports below 1024 need privileges: choose a higher --port.';
    return new UserError({ where, field: 'port', expected: 'a port this user may take', received, hint }, { cause });
  }
  const hint = 'Use 127.0.0.1 for this machine only, 0.0.0.0 for every interface.';
  return new UserError({ where, field: 'host', expected: 'an address of this machine', received, hint }, { cause });
}

async function drain(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  const limit = setTimeout(() => server.closeAllConnections(), DRAIN_S * 1000);
  await closed;
  clearTimeout(limit);
}

/** Resolves at the first SIGINT or SIGTERM, or when a parent with a channel to this process ends; a second signal ends it as usual. */
export function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => {
      process.off('SIGINT', stop).off('SIGTERM', stop).off('disconnect', stop);
      resolve();
    };
    process.on('SIGINT', stop).on('SIGTERM', stop).on('disconnect', stop);
  });
}
