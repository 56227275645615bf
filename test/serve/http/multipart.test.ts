import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ApiError } from '../../../src/serve/api_error.js';
import { parseParams } from '../../../src/serve/http/header_params.js';
import { type Part, readMultipart } from '../../../src/serve/http/multipart.js';
import { part } from './forms.js';

const test = suite('multipart');
const TYPE = 'multipart/form-data; boundary=b';
const JPEG = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]);
const END = '--b--\r\n';
const DISPOSITION = 'Content-Disposition: form-data; name="image"; filename="a.jpg"';

const body = (...pieces: (string | Buffer)[]) =>
  Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)));
const one = async (...headers: string[]) => (await readMultipart(body(part(headers, JPEG), END), TYPE))[0];

/** Field and file name of the only part with these headers. */
async function names(disposition: string): Promise<[string, string | undefined]> {
  const { field, fileName, bytes, file } = await one(`Content-Disposition: ${disposition}`);
  assert.ok(file && bytes.equals(JPEG), disposition);
  return [field, fileName];
}

async function refusal(parts: Promise<Part[]>): Promise<string> {
  try {
    await parts;
  } catch (error) {
    assert.instance(error, ApiError);
    assert.is((error as ApiError).status, 400);
    return (error as ApiError).message;
  }
  return 'it was read';
}

test('names as .NET, curl, browsers, Python and Java write them', async () => {
  for (const [disposition, expected] of [
    ["form-data; name=image; filename=photo.jpg; filename*=utf-8''photo.jpg", ['image', 'photo.jpg']],
    ["form-data; name=image; filename*=UTF-8''%e2%82%ac%20a.jpg", ['image', '€ a.jpg']],
    ['form-data; filename*=utf-8\'en\'%c3%a4.jpg; filename="a.jpg"; name="image"', ['image', 'ä.jpg']],
    ['form-data; name=image; filename="=?utf-8?B?w6Q=?="; filename*=utf-8\'\'%C3%A4', ['image', 'ä']],
    ['form-data; name=image; filename="a.jpg"; filename*=iso-8859-1\'\'%e4.jpg', ['image', 'ä.jpg']],
    ['form-data; name=image; filename="a.jpg"; filename*=nonsense\'\'%ff', ['image', 'a.jpg']],
    ["form-data; name=image; filename*=utf-8''%ff", ['image', "utf-8''%ff"]],
    ['form-data; name="im\\"age"; filename="a \\"q\\" \\\\b.jpg"', ['im"age', 'a "q" \\b.jpg']],
    ['form-data; name="image"; filename="a%22b%0D%0A.jpg"', ['image', 'a"b\r\n.jpg']],
    ['form-data; name="image"; filename="100%.jpg"', ['image', '100%.jpg']],
    ['form-data; name="image"; filename="C:\\Users\\me\\photo.jpg"', ['image', 'C:\\Users\\me\\photo.jpg']],
    ['form-data; name="image"; filename="a; name=b.jpg"', ['image', 'a; name=b.jpg']],
    ['form-data; name="image"; filename="ä€.jpg"', ['image', 'ä€.jpg']],
    ['FORM-DATA;NAME=image;FileName=my photo.jpg;', ['image', 'my photo.jpg']],
    ['form-data ; name = "image" ; filename = "a.jpg" ', ['image', 'a.jpg']],
    ['form-data;\r\n name="image";\r\n\tfilename="a.jpg"', ['image', 'a.jpg']],
    ['form-data; filename="a.jpg"', ['', 'a.jpg']],
    ['attachment; filename="a.jpg"', ['', 'a.jpg']],
    ['form-data; name=image', ['image', undefined]],
  ] as const) {
    assert.equal(await names(disposition), expected, disposition);
  }
});

test('bytes in latin1 are a name as well', () => {
  assert.is(parseParams('form-data; filename="\xe4.jpg"')?.params.get('filename'), 'ä.jpg');
});

test('what cannot be read is refused, with what is wrong', async () => {
  const cases: [Buffer, string, RegExp][] = [
    [body(part([DISPOSITION], JPEG)), TYPE, /cut off/],
    [body(part([DISPOSITION], JPEG).subarray(0, 90)), TYPE, /part 1 has no headers|cut off/],
    [body(part([DISPOSITION], JPEG), END), 'multipart/form-data; boundary=other', /its boundary is not in it/],
    [body('--b\nContent-Disposition: form-data; name="a"\n\nx\n--b--\n'), TYPE, /CR LF/],
    [body('--bc\r\n\r\nx\r\n--b--\r\n'), TYPE, /more on its line/],
    [body('--b\r\nContent-Disposition: form-data\r\n--b--\r\n'), TYPE, /part 1 has no headers/],
    [body(part(['Content-Disposition: form-data; name="a'], JPEG), END), TYPE, /part 1 has a content-disposition/],
    [body(part(['Content-Disposition: form-data; name=a; name=b'], JPEG), END), TYPE, /content-disposition/],
    [body(part([DISPOSITION, DISPOSITION], JPEG), END), TYPE, /content-disposition/],
    [body(part([DISPOSITION, 'Content-Type: multipart/mixed; boundary=c'], JPEG), END), TYPE, /multipart body itself/],
    [body(part([DISPOSITION, 'Content-Transfer-Encoding: quoted-printable'], JPEG), END), TYPE, /Transfer-Encoding/],
    [body(part([DISPOSITION, 'Content-Transfer-Encoding: base64'], JPEG), END), TYPE, /base64/],
    ...['multipart/form-data', 'multipart/form-data; boundary=', 'multipart/form-data; boundary=b; boundary=c'].map(
      (type): [Buffer, string, RegExp] => [body(END), type, /no usable boundary/],
    ),
  ];
  for (const [bytes, type, expected] of cases) {
    assert.match(await refusal(readMultipart(bytes, type)), expected, `${expected}`);
  }
});

test('preamble, epilogue, quotes around the boundary and other parameters change nothing', async () => {
  for (const type of [
    TYPE,
    'multipart/form-data;boundary="b"',
    'Multipart/Form-Data; charset="utf-8"; BOUNDARY=b; x="; boundary=c"',
  ]) {
    for (const [before, after] of [
      ['', ''],
      ['\r\n', '\r\n\r\n'],
      ['This is a message in MIME format.\r\n', 'the end --b'],
    ]) {
      const parts = await readMultipart(body(before, part([DISPOSITION], JPEG), END, after), type);
      assert.equal(parts, [{ field: 'image', fileName: 'a.jpg', bytes: JPEG, file: true }]);
    }
  }
});

test('a part is a file by its name, its type or its bytes; text is none', async () => {
  const field = 'Content-Disposition: form-data; name=image';
  const file = async (headers: string[], bytes: Buffer) =>
    (await readMultipart(body(part(headers, bytes), END), TYPE))[0].file;
  assert.ok(await file([field], JPEG));
  assert.ok(await file([], JPEG));
  assert.ok(await file([field, 'Content-Type: IMAGE/JPEG; q=1'], Buffer.from('text')));
  assert.ok(await file(['Content-Type: application/octet-stream', field], Buffer.from('text')));
  assert.ok(await file([`${field}; filename=""`], Buffer.alloc(0)));
  assert.ok(await file([field], Buffer.from('II*\0')));
  for (const text of ['', '0.5', 'ä'.repeat(300), 'aä'.repeat(300), '€'.repeat(400)]) {
    assert.not(await file([field], Buffer.from(text)), text.slice(0, 10));
  }
});

test('base64 of a part is decoded', async () => {
  const text = Buffer.from(JPEG.toString('base64').replace(/(.{4})/g, '$1\r\n'));
  const bytes = body(part([DISPOSITION, 'Content-Transfer-Encoding: BASE64'], text), END);
  assert.ok((await readMultipart(bytes, TYPE))[0].bytes.equals(JPEG));
});

const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 });
const files = fc.array(fc.tuple(name, fc.uint8Array({ maxLength: 300 })), { minLength: 1, maxLength: 8 });

test('what fetch writes comes back, byte for byte', () =>
  fc.assert(
    fc.asyncProperty(files, async (given) => {
      const form = new FormData();
      for (const [file, bytes] of given) form.append(file, new File([bytes as Uint8Array<ArrayBuffer>], file));
      const response = new Response(form);
      const type = response.headers.get('content-type') as string;
      const parts = await readMultipart(Buffer.from(await response.arrayBuffer()), type);
      assert.equal(
        parts.map(({ bytes }) => [...bytes]),
        given.map(([, bytes]) => [...bytes]),
      );
      // Names go over the line with their line ends in one form, and %22 is how a quote is written.
      const plain = (text: string) =>
        text
          .replace(/\r\n|\r|\n/g, '\r\n')
          .replace(/%22/g, '"')
          .replace(/\p{Surrogate}/gu, '\ufffd');
      for (const [i, { fileName }] of parts.entries()) {
        if (!/%0[ad]/i.test(given[i][0])) assert.is(plain(fileName ?? ''), plain(given[i][0]));
      }
    }),
  ));

const atoms = ['--b', '--b\r\n', '--b--', '\r\n', '\r\n\r\n', '-', 'x', '\n', '\r', '--bb', `${DISPOSITION}\r\n\r\n`];

test('every body is read or refused, none waits for ever', () =>
  fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...atoms), { maxLength: 12 }), async (pieces) => {
      await readMultipart(Buffer.from(pieces.join('')), TYPE).catch((error) => assert.instance(error, ApiError));
    }),
    { numRuns: 2000 },
  ));

test.run();
