import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';

/** The message of the UserError that a call must end with. */
export async function refused(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.instance(error, UserError);
  return (error as UserError).message;
}
