import { stderr } from 'node:process';
import {
  type DestinationStream,
  destination,
  type Level,
  type Logger,
  pino,
  stdSerializers,
  stdTimeFunctions,
} from 'pino';
import type { ServeConfig } from '../../config/schema.js';

export type { Logger };

/**
 * The log of a service: JSON lines on stderr, readable ones on a terminal. Lines are gathered while the last ones are
 * being written, so that a slow reader of the log delays no request.
 */
export function createLog(level: ServeConfig['logLevel'], stream: DestinationStream = standardError()): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: serializeError },
    },
    stream,
  );
}

/** Writes what was gathered. */
export function flushLog(log: Logger): Promise<void> {
  return new Promise((resolve) => log.flush(() => resolve()));
}

/** An error's stack and those of its causes. Messages quote what came: addresses with passwords, tokens. */
function serializeError(error: Error): { type: string; stack: string } {
  const { type, stack } = stdSerializers.err(error);
  return {
    type,
    stack: stack.replace(/\/\/[^\s/@]*@/g, '//[secret]@').replace(/\b(Bearer|Basic) +[^\s"']+/gi, '$1 [secret]'),
  };
}

function standardError(): DestinationStream {
  return stderr.isTTY
    ? { write: (line) => void stderr.write(readable(line)) }
    : destination({ fd: stderr.fd, sync: false });
}

interface Line {
  level: Level;
  time: string;
  msg?: string;
  err?: { stack?: string };
  [field: string]: unknown;
}

/** `12:34:56.789 warn request method=POST path=/predict status=503`, then the stack of an error. */
export function readable(line: string): string {
  const { level, time, msg = '', err, ...fields } = JSON.parse(line) as Line;
  const pairs = Object.entries(fields).map(([name, value]) => `${name}=${plain(value)}`);
  const stack = err?.stack === undefined ? [] : [`\n${err.stack}`];
  return `${[time.slice(11, 23), level, msg, ...pairs, ...stack].join(' ')}\n`;
}

/** Quoted unless it is one plain word: a client must not be able to move the cursor of who reads the log. */
function plain(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^[\x21-\x7e]*$/.test(text) ? text : JSON.stringify(text).replace(/[\x7f-\u{10ffff}]/gu, '?');
}
