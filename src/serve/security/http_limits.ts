import type { ServerOptions } from 'node:http';
import type { ServeConfig } from '../../config/schema.js';

/** Bytes of a request's line and headers together; more is answered 431. */
const MAX_HEAD_BYTES = 16_384;

/** Milliseconds between two looks for clients that are too slow. */
const CHECK_MS = 1000;

type Timeouts = Pick<ServeConfig, 'headersTimeout' | 'requestTimeout' | 'keepAliveTimeout'>;

/** Options of Node's HTTP server that keep large heads and slow clients from tying it up. */
export function httpServerOptions({ headersTimeout, requestTimeout, keepAliveTimeout }: Timeouts): ServerOptions {
  return {
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: Math.min(headersTimeout, requestTimeout),
    requestTimeout,
    keepAliveTimeout,
    // A request without one is answered with a reason instead.
    requireHostHeader: false,
    connectionsCheckingInterval: Math.min(CHECK_MS, headersTimeout, requestTimeout),
  };
}

/** Milliseconds a connection may stand still, as one whose client does not read its answer. */
export function standstill({ requestTimeout, deadline }: Pick<ServeConfig, 'requestTimeout' | 'deadline'>): number {
  // While the model works on a request its connection stands still, too.
  return requestTimeout + deadline;
}
