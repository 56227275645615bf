import type { Context } from 'hono';
import type { Bundle } from '../../detect/bundle.js';

/** Says which version of which model answers. */
export function sayVersion(c: Context, { name, version }: Bundle): void {
  // Names are free text, headers are not.
  c.header('X-Model-Version', `${encodeURI(name)}@${encodeURI(version)}`);
}

/** The header that {@link sayVersion} sets, for the description of a route. */
export const MODEL_HEADER = {
  'X-Model-Version': { description: 'name@version of the model that answered.', schema: { type: 'string' as const } },
};
