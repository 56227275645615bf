import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { UserError } from '../base/errors.js';
import type { ServeConfig } from '../config/schema.js';
import type { Picture } from '../data/picture.js';
import { createApp, type Readiness } from './app.js';
import { type Bundle, readBundle } from './bundle.js';
import { Batcher } from './engine/batcher.js';
import { DetectorThread } from './engine/detector_thread.js';
import { LocalModel } from './models/local_model.js';
import { Metrics } from './observe/metrics.js';

/** Seconds that requests in flight are given to finish after a signal. */
const DRAIN_S = 10;

/** Milliseconds given to measuring batches before the service is ready; the rest is learnt on the way. */
const WARM_UP_MS = 500;

export interface RunningServer {
  /** `http://host:port`, with the port that was really taken. */
  url: string;
  /** Takes no more connections, finishes what is in flight for a limited time, frees the model. */
  close(): Promise<void>;
}

/**
 * Serves a bundle; resolves when the model is warm.
 * @throws UserError for a bad bundle, or an address that cannot be listened on.
 */
export async function startServer(bundleDir: string, config: ServeConfig): Promise<RunningServer> {
  const bundle = await readBundle(bundleDir);
  const thread = new DetectorThread(bundle, { threads: config.threads });
  const readiness: Readiness = { ready: false };
  let server: Server | undefined;
  try {
    const maxBatch = Math.min(config.maxBatch, await thread.maxBatch());
    const metrics = new Metrics(bundle);
    const batcher = new Batcher((tasks) => thread.detectBatch(tasks), {
      ...config,
      maxBatch,
      onBatch: (size) => metrics.observeBatch(size),
    });
    metrics.watch(batcher);
    const models = new LocalModel(bundle, batcher, config);
    server = createAdaptorServer({ fetch: createApp({ models, metrics, config, readiness }).fetch }) as Server;
    const running = server;
    const url = await listen(running, config);
    await batcher.warmUp({ picture: blank(bundle) }, WARM_UP_MS);
    readiness.ready = true;
    return {
      url,
      async close() {
        readiness.ready = false;
        await drain(running);
        await batcher.idle();
        await thread.close();
      },
    };
  } catch (error) {
    server?.close();
    await thread.close();
    throw error;
  }
}

/** A black picture of the model's size. */
function blank({ preprocess }: Bundle): Picture {
  const [height, width] = preprocess.size;
  return { width, height, data: new Uint8Array(3 * height * width) };
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

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process as usual. */
export function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => {
      process.off('SIGINT', stop).off('SIGTERM', stop);
      resolve();
    };
    process.on('SIGINT', stop).on('SIGTERM', stop);
  });
}
