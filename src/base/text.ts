import { isUtf8 } from 'node:buffer';
import { UserError } from './errors.js';

/** Binary files that people pass as text, by their first bytes, with remedies. */
const PACKED: readonly [string, string, string][] = [
  ['1f8b', 'a file compressed by gzip', 'Unpack it first, with gunzip.'],
  ['504b0304', 'a zip', 'Unpack it first.'],
];

/**
 * Decodes a text file: UTF-8, or UTF-16 as PowerShell and old Windows programs write it, without the byte order mark.
 *
 * @param where name of the file, for messages
 * @throws UserError for other encodings, whose letters would be silently lost if read as UTF-8
 */
export function decodeText(bytes: Buffer, where: string): string {
  const utf16 = utf16Of(bytes);
  if (utf16 !== undefined) return new TextDecoder(utf16).decode(bytes);
  const start = bytes.toString('hex', 0, 4);
  const packed = PACKED.find(([magic]) => start.startsWith(magic));
  if (packed) throw new UserError({ where, expected: 'text', received: packed[1], hint: packed[2] });
  if (isUtf8(bytes)) return new TextDecoder().decode(bytes);
  const binary = bytes.subarray(0, 4096).includes(0);
  throw new UserError({
    where,
    expected: 'text in UTF-8',
    received: binary ? 'a binary file' : `other bytes in line ${firstBadLine(bytes)}`,
    hint: binary ? undefined : 'Save it as UTF-8; if it comes from Windows: iconv -f WINDOWS-1252 -t UTF-8.',
  });
}

/** Recognises UTF-16 by its byte order mark or, without one, by the zero beside each letter of JSON (RFC 4627, 3). */
function utf16Of(bytes: Buffer): string | undefined {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (isBracket(first) && second === 0)) return 'utf-16le';
  if ((first === 0xfe && second === 0xff) || (first === 0 && isBracket(second))) return 'utf-16be';
  return undefined;
}

const isBracket = (byte: number | undefined): boolean => byte === 0x5b || byte === 0x7b;

/** Number of the first line that is not UTF-8, starting at 1. */
function firstBadLine(bytes: Buffer): number {
  let line = 1;
  for (let start = 0; start < bytes.length; line++) {
    const end = bytes.indexOf(0x0a, start);
    if (!isUtf8(bytes.subarray(start, end < 0 ? bytes.length : end))) return line;
    if (end < 0) break;
    start = end + 1;
  }
  return line;
}
