import { closest, distance } from 'fastest-levenshtein';

/** What a person needs to fix bad input: where it is, what was expected, what was received, what to do. */
export interface Problem {
  /** File, URL, flag or port with the problem. */
  where?: string;
  /** Field inside it, as a path: `train.lr`, `annotations[3].bbox`. */
  field?: string;
  expected: string;
  /** The value received; messages shorten long ones. */
  received?: unknown;
  /** Why it is wrong, in our words or those of a library; never shortened. */
  reason?: string;
  /** The remedy, an imperative sentence. */
  hint?: string;
}

/** Bad input from outside: reported in one line, without a stack trace; CLI exit code 2, HTTP 4xx. */
export class UserError extends Error {
  override name = 'UserError';
  readonly problem: Problem;

  constructor(problem: Problem, options?: ErrorOptions) {
    super(describeProblem(problem), options);
    this.problem = problem;
  }
}

function describeProblem({ where, field, expected, received, reason, hint }: Problem): string {
  const place = [where, field].filter(Boolean).join(': ');
  const got = received === undefined ? '' : `, received ${describeValue(received)}`;
  const why = reason
    ? `: ${reason
        .trim()
        .replace(/\s*\n\s*/g, ' ')
        .replace(/\.$/, '')}`
    : '';
  return `${place ? `${place}: ` : ''}expected ${expected}${got}${why}.${hint ? ` ${hint}` : ''}`;
}

/** Longest text of a value in a message. */
const VALUE_LENGTH = 120;

/** Formats a value for a message: quotes strings, shortens long values. */
export function describeValue(value: unknown): string {
  const plain = typeof value === 'number' || typeof value === 'bigint';
  const text = plain ? String(value) : toJson(value);
  if (text.length <= VALUE_LENGTH) return text;
  return `${text.slice(0, VALUE_LENGTH - 2)}…${typeof value === 'string' ? '"' : ''}`;
}

function toJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    // A cycle, a bigint, or nesting so deep that the stack overflows.
    return Object.prototype.toString.call(value);
  }
}

/**
 * ` Did you mean "x"?` if a known word or its last part (`lr` of `train.optimizer.lr`) is similar, else all known
 * words.
 */
export function didYouMean(word: string, known: readonly string[]): string {
  if (known.length === 0) return '';
  const best = nearest(word, known, (one) => one) ?? nearest(word, known, lastPart);
  return best === undefined ? `Known: ${known.join(', ')}.` : `Did you mean "${best}"?`;
}

function nearest(word: string, known: readonly string[], part: (one: string) => string): string | undefined {
  const form = (text: string) => part(text).toLowerCase();
  const best = closest(form(word), known.map(form));
  const near = distance(form(word), best) <= Math.max(2, Math.floor(form(word).length / 3));
  // Every word is similar to a short one.
  return near && distance(form(word), best) < form(word).length ? known.find((one) => form(one) === best) : undefined;
}

const lastPart = (text: string): string => text.split(/[.\-_]/).at(-1) as string;

/** Message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
