import type { Server, ServerOptions } from 'node:http';
import type { ServeConfig } from '../../config/schema.js';

/** Bytes of a request's line and headers together; more is answered 431. */
const MAX_HEAD_BYTES = 16_384;

/** Milliseconds between two looks for clients that are too slow. */
const CHECK_MS = 1000;

type Timeouts = Pick<ServeConfig, 'headersTimeout' | 'requestTimeout' | 'keepAliveTimeout'>;

/** What Node's server is made with, so that neither large heads nor slow clients tie it up. */
export function httpServerOptions({ headersTimeout, requestTimeout, keepAliveTimeout }: Timeouts): ServerOptions {
  return {
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: Math.min(headersTimeout, requestTimeout),
    requestTimeout,
    keepAliveTimeout,
    connectionsCheckingInterval: Math.min(CHECK_MS, headersTimeout, requestTimeout),
  };
}

type ConnectionLimits = Pick<ServeConfig, 'maxConnections' | 'requestTimeout' | 'deadline'>;

/**
 * Limits the connections open at once, and how long one may stand still: a client that does not read its answer.
 * @param onRefused told of every connection refused
 */
export function limitConnections(
  server: Server,
  { maxConnections, requestTimeout, deadline }: ConnectionLimits,
  onRefused: () => void,
): void {
  server.maxConnections = maxConnections;
  server.on('drop', onRefused);
  // While the model works on a request its connection stands still, too.
  server.timeout = requestTimeout + deadline;
}
