import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';

/** What the runner says of a run. */
export async function linesOf(work: () => Promise<unknown>): Promise<string> {
  const { write } = process.stderr;
  let text = '';
  process.stderr.write = ((chunk: string) => {
    text += chunk;
    return true;
  }) as typeof process.stderr.write;
  try {
    await work();
  } finally {
    process.stderr.write = write;
  }
  return text;
}

/** The UserError that work ends with. */
export async function refusal(work: Promise<unknown>): Promise<UserError> {
  try {
    await work;
  } catch (error) {
    assert.instance(error, UserError, (error as Error).stack);
    return error as UserError;
  }
  assert.unreachable('went through');
  throw new Error();
}
