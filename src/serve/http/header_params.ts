import { isUtf8 } from 'node:buffer';

/** A header such as `form-data; name="a"; filename*=utf-8''b`: its value and parameters, names in lower case. */
export interface ParamHeader {
  value: string;
  params: Map<string, string>;
}

/** A parameter, its value in quotes or not; or a lone semicolon. Clients write values with spaces without quotes, too. */
const PARAMETER = /;[ \t]*(?:([^\s=;"]+)[ \t]*=[ \t]*(?:"((?:\\.|[^"\\])*)"[ \t]*|([^;"]*)))?/gy;

/** RFC 8187: charset'language'percent-encoded bytes. */
const EXTENDED = /^([\w-]+)'[^']*'(.*)$/;

/**
 * Reads a header with parameters as lenient as clients are careless: quotes or none, any case, unescaped backslashes.
 * `filename*` stands for `filename`, wherever it is, when it can be decoded (RFC 6266, 4.3).
 * @param text bytes as latin1, as parsers give them; UTF-8 in them is decoded
 * @returns undefined for what cannot be read, or says something twice
 */
export function parseParams(text: string): ParamHeader | undefined {
  const whole = decoded(text);
  const params = new Map<string, string>();
  const extended = new Map<string, string>();
  PARAMETER.lastIndex = whole.split(';', 1)[0].length;
  const value = whole.slice(0, PARAMETER.lastIndex).trim().toLowerCase();
  while (PARAMETER.lastIndex < whole.length) {
    const match = PARAMETER.exec(whole);
    if (match === null) return undefined;
    const [, given, quoted, bare] = match;
    if (given === undefined) continue;
    const name = given.toLowerCase();
    const text = quoted === undefined ? bare.trim() : quoted.replace(/\\(["\\])/g, '$1');
    const into = name.endsWith('*') ? extended : params;
    const key = name.replace(/\*$/, '');
    if (into.has(key)) return undefined;
    into.set(key, text);
  }
  for (const [name, text] of extended) {
    const plain = decodeExtended(text);
    if (plain !== undefined) params.set(name, plain);
    else if (!params.has(name)) params.set(name, text);
  }
  return { value, params };
}

function decodeExtended(text: string): string | undefined {
  const [, charset, encoded] = EXTENDED.exec(text) ?? [];
  if (charset === undefined) return undefined;
  const bytes = Buffer.from(
    encoded.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
  try {
    return new TextDecoder(charset, { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function decoded(latin1: string): string {
  const bytes = Buffer.from(latin1, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : latin1;
}
