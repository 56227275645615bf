import { createHash, timingSafeEqual } from 'node:crypto';
import type { Context } from 'hono';

/** Secrets in the form in which they are compared: SHA-256 digests, all of one length. */
export type Digests = readonly Buffer[];

export const digestsOf = (secrets: readonly string[]): Digests => secrets.map(digest);

/**
 * Whether a secret is one of those known. Takes as long for a near miss as for a hit, and looks at all of them, so that
 * the time tells neither how much was right nor which one matched.
 */
export function matchesSecret(given: string | undefined, known: Digests): boolean {
  const asked = digest(given ?? '');
  let matches = 0;
  for (const one of known) matches |= Number(timingSafeEqual(asked, one));
  return given !== undefined && matches === 1;
}

/** The token of `Authorization: Bearer …`. */
export function bearerToken(c: Context): string | undefined {
  return /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
}

function digest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
