import { stderr } from 'node:process';

const LINE_INTERVAL_MS = 5000;

/** A problem whose message tells the person what to do; shown without a stack trace. */
export class SetupError extends Error {
  name = 'SetupError';
}

/** One line of news, on stderr so that stdout stays free for results. */
export function say(line) {
  stderr.write(`${line}\n`);
}

/** Runs `work`, says what it did (the text it returns) and how long it took; adds the seconds to `seconds[name]`. */
export async function stage(name, seconds, work) {
  const start = performance.now();
  const outcome = await work();
  seconds[name] = Math.round((performance.now() - start) / 10) / 100;
  say(`${name}: ${outcome} (${seconds[name].toFixed(1)} s)`);
}

/** Shows a share done: redrawn on a terminal, a line every few seconds elsewhere. */
export function startMeter(label, totalBytes) {
  let last = Date.now();
  return {
    update(bytes) {
      const text = `  ${label} ${megabytes(bytes)} of ${megabytes(totalBytes)} MB`;
      if (stderr.isTTY) stderr.write(`\r${text}`);
      else if (Date.now() - last >= LINE_INTERVAL_MS) {
        last = Date.now();
        say(text);
      }
    },
    stop() {
      if (stderr.isTTY) stderr.write('\r\x1b[K');
    },
  };
}

export const megabytes = (bytes) => Math.round(bytes / 1e6);

/**
 * Prints what went wrong, with `json` as an object on stdout too, and sets the exit code: 2 for what we or the system
 * explain, 70 for a fault of ours, with its stack trace.
 */
export function reportFailure(error, { json = false } = {}) {
  const explained = error instanceof SetupError || error.syscall !== undefined;
  const code = explained ? 2 : 70;
  say(`error: ${explained ? error.message : error.stack}`);
  if (json) console.log(JSON.stringify({ error: { message: error.message, code } }));
  process.exitCode = code;
}
