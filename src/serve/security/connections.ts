import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ServeConfig } from '../../config/schema.js';
import { clientOf, matcherOf } from './client_address.js';
import { Connection } from './connection.js';
import { answerPlainly } from './plain_answer.js';
import { Pool } from './pool.js';

/** Share of the connections that one client gets by default. */
const CLIENT_SHARE = 0.25;

/**
 * Connections kept for probes when all others are taken, and those of one client among them. Whatever else comes on them
 * is answered at once, so that they are many enough for a burst.
 */
const RESERVE = { size: 128, share: 32 };

const PROBES = /^\/(healthz|livez|readyz)(\?|$)/;

export type ConnectionLimits = Pick<ServeConfig, 'maxConnections' | 'maxConnectionsPerClient' | 'trustedProxies'>;

type Handler = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

/**
 * Shares the connections of a server among its clients. Of one client's too many, the one idle longest is closed for the
 * new one; where none is idle the new one is answered 503, unless a probe comes on it.
 */
export class Connections {
  readonly #main: Pool;
  readonly #reserve = new Pool(RESERVE);
  readonly #open = new WeakMap<Socket, Connection>();
  readonly #isProxy: (address: string | undefined) => boolean;
  readonly #onRefused: () => void;

  /** @param onRefused called for every connection that is closed or refused because all places are taken */
  constructor(limits: ConnectionLimits, onRefused: () => void) {
    const { maxConnections, maxConnectionsPerClient, trustedProxies } = limits;
    const share = maxConnectionsPerClient ?? Math.ceil(CLIENT_SHARE * maxConnections);
    this.#isProxy = matcherOf(trustedProxies);
    this.#main = new Pool({ size: maxConnections, share });
    this.#onRefused = onRefused;
  }

  watch(server: Server): void {
    server.on('connection', (socket: Socket) => this.#add(socket));
  }

  /** Handles a request when those before it on its connection are answered. */
  handle(incoming: IncomingMessage, outgoing: ServerResponse, handler: Handler): void {
    const connection = this.#open.get(incoming.socket) as Connection;
    const probeOnly = connection.reserved;
    if (probeOnly) outgoing.shouldKeepAlive = false;
    connection.take(incoming, outgoing, probeOnly && !PROBES.test(incoming.url ?? '') ? refuseAll : handler);
  }

  #add(socket: Socket): void {
    const { remoteAddress } = socket;
    const whose = { client: clientOf(remoteAddress), exempt: this.#isProxy(remoteAddress) };
    const connection = new Connection(socket, whose, this.#onRefused);
    this.#open.set(socket, connection);
    let pool = this.#main;
    if (!pool.enter(connection)) {
      this.#onRefused();
      connection.reserved = true;
      pool = this.#reserve;
      pool.enter(connection);
    }
    socket.once('close', () => pool.leave(connection));
  }
}

function refuseAll(_: IncomingMessage, outgoing: ServerResponse): void {
  answerPlainly(outgoing, {
    code: 'too_many_connections',
    message: 'Too many connections are open, all of them busy.',
    hint: 'Send the next request on a connection that is open already, or ask again in 1 s.',
  });
}
