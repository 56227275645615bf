import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeText } from '../../src/base/text.js';

const test = suite('text');

test('UTF-8 and UTF-16 give the text, without a byte order mark', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (some) => {
      const text = `{"é": ${JSON.stringify(some)}}`;
      const big = (given: string) => Buffer.from(given, 'utf16le').swap16();
      for (const given of [text, `\uFEFF${text}`]) {
        for (const bytes of [Buffer.from(given), Buffer.from(given, 'utf16le'), big(given)]) {
          assert.is(decodeText(bytes, 'x'), text);
        }
      }
    }),
  );
  assert.is(decodeText(Buffer.alloc(0), 'x'), '');
});

test('bytes of another encoding, packed or binary ones are refused with what they are', () => {
  const refused = (bytes: Buffer, pattern: RegExp) => assert.throws(() => decodeText(bytes, 'x'), pattern);
  refused(Buffer.from('{\n"name": "H\u00e4user"\n}', 'latin1'), /^x: expected text in UTF-8.*line 2".*iconv/);
  refused(gzipSync('{}'), /^x: expected text, received "a file compressed by gzip". Unpack/);
  refused(Buffer.from('504b030414000000', 'hex'), /a zip/);
  refused(Buffer.from('ffd8ffe000104a46', 'hex'), /a binary file/);
});

test.run();
