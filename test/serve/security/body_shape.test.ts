import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ApiError } from '../../../src/serve/api_error.js';
import { checkJsonShape, checkMultipartShape } from '../../../src/serve/security/body_shape.js';

const test = suite('shape of bodies');

function refusalOf(check: () => void): [number, string] | undefined {
  try {
    check();
  } catch (error) {
    assert.instance(error, ApiError);
    const { status, body: reason } = error as ApiError;
    return [status, reason.code];
  }
  return undefined;
}

const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 100 });
const files = fc.array(fc.tuple(name, fc.uint8Array({ maxLength: 200 })), { minLength: 1, maxLength: 20 });

test('what clients write passes', () =>
  fc.assert(
    fc.asyncProperty(files, async (parts) => {
      const form = new FormData();
      for (const [file, bytes] of parts) form.append(file, new File([bytes as Uint8Array<ArrayBuffer>], file));
      const response = new Response(form);
      const boundary = /boundary=(.*)/.exec(response.headers.get('content-type') ?? '')?.[1] ?? '';
      checkMultipartShape(Buffer.from(await response.arrayBuffer()), boundary);
      checkJsonShape(JSON.stringify({ images: parts.map(([, bytes]) => Buffer.from(bytes).toString('base64')) }));
    }),
  ));

const part = (boundary: string, body = '') =>
  `--${boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n${body}\r\n`;
const multipart = (body: string) => refusalOf(() => checkMultipartShape(Buffer.from(body, 'latin1'), 'b'));

test('more values or parts than a list of images has are refused before they are parsed', () => {
  const many = 20_000;
  for (const text of [
    `[${'"",'.repeat(many)}""]`,
    '['.repeat(many),
    '{"a":'.repeat(many),
    `[${'{},'.repeat(many)}{}]`,
  ]) {
    assert.equal(
      refusalOf(() => checkJsonShape(text)),
      [413, 'too_many_parts'],
    );
  }
  assert.equal(multipart(part('b').repeat(many)), [413, 'too_many_parts']);
  const headers = `--b\r\n${'X: a\r\n'.repeat(many)}\r\n\r\n--b--\r\n`;
  assert.equal(multipart(headers), [400, 'malformed_body']);
  // Dashes and boundaries inside an image's bytes are no parts.
  assert.is(multipart(`${part('b', '----b'.repeat(many))}--b--\r\n`), undefined);
});

test('a body that its boundary does not frame is refused', () => {
  for (const body of [part('b'), `--b--`.slice(0, 4), part('c'), part('b').replaceAll('\r', ''), `x${part('b')}`]) {
    assert.equal(multipart(body), [400, 'malformed_body'], JSON.stringify(body));
  }
  assert.is(multipart(`preamble\r\n${part('b')}--b--epilogue`), undefined);
});

test.run();
