import type { Context } from 'hono';
import type { Bundle } from '../../detect/bundle.js';

/** Says which version of which model answers. */
export function sayVersion(c: Context, { name, version }: Bundle): void {
  // Names are free text, headers are not.
  c.header('X-Model-Version', `${encodeURI(name)}@${encodeURI(version)}`);
}
