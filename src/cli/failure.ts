import { messageOf, UserError } from '../base/errors.js';
import { explainFileError } from '../base/file_errors.js';
import { PROGRAM } from './parser.js';

/**
 * Exit codes: bad input or use, and a bug of ours (sysexits' EX_SOFTWARE). A missed gate is no error and exits with 1.
 */
const BAD_INPUT = 2;
const OUR_FAULT = 70;

/** Longest text of a received value in JSON. */
const RECEIVED_LENGTH = 1000;

/** Reports an error on stderr and, with `--json`, also as one object on stdout; returns the exit code. */
export function reportFailure(thrown: unknown, argv: readonly string[]): number {
  const error = explainFileError(thrown);
  const known = error instanceof UserError;
  const code = known ? BAD_INPUT : OUR_FAULT;
  const options = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  const trace = options.includes('--trace');
  const hint = known
    ? error.problem.hint
    : 'This is a fault of yolox-node; run again with --trace for its stack trace.';
  process.stderr.write(`${PROGRAM}: ${messageOf(error)}\n`);
  if (trace) process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
  else if (!known) process.stderr.write(`${hint}\n`);
  if (options.includes('--json') || options.includes('--json=true')) {
    const problem = known ? error.problem : {};
    console.log(JSON.stringify({ error: { message: messageOf(error), ...problem, ...received(problem), hint, code } }));
  }
  return code;
}

/** Replaces values that JSON cannot represent, or that are too long, by text. */
function received({ received }: { received?: unknown }) {
  if (received === undefined) return {};
  try {
    const text = JSON.stringify(received);
    return { received: text.length > RECEIVED_LENGTH ? `${text.slice(0, RECEIVED_LENGTH)}…` : received };
  } catch {
    return { received: String(received) };
  }
}
