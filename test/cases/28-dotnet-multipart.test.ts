import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { part } from '../serve/http/forms.js';
import { startWire, type Wire } from '../serve/wire.js';

// The requests of ../shared/cases/28-dotnet-multipart/requests.py, and more of their kind, over bare sockets.

const test = suite('case 28-dotnet-multipart');
const BOUNDARY = '7427efb8-6ce7-4740-9198-d90399842641';
const FORM = 'Content-Disposition: form-data; ';
let wire: Wire;
let reference: { annotations: unknown[] };

test.before(async () => {
  wire = await startWire();
  reference = (await (await fetch(`${wire.url}/test_result`)).json()) as typeof reference;
});
test.after(() => wire.close());

async function post(parts: [headers: string[], bytes: Buffer][], { quoted = true, before = '', after = '' } = {}) {
  const end = `--${BOUNDARY}--\r\n${after}`;
  const body = Buffer.concat([
    Buffer.from(before),
    ...parts.map(([headers, bytes]) => part(headers, bytes, BOUNDARY)),
    Buffer.from(end),
  ]);
  const boundary = quoted ? `"${BOUNDARY}"` : BOUNDARY;
  const head = `POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=${boundary}\r\n`;
  const request = Buffer.concat([Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n`), body]);
  const { status, body: answer } = await wire.ask(request);
  return { status, answer: JSON.parse(answer) as Record<string, unknown> };
}

test('one image in a form, as .NET, curl, browsers and others write it, is answered as the image', async () => {
  const forms: Record<string, [headers: string[], name: string]> = {
    '.NET 8': [[`${FORM}name=image; filename=photo.jpg; filename*=utf-8''photo.jpg`], 'photo.jpg'],
    '.NET 8 with the type first': [
      ['Content-Type: image/jpeg', `${FORM}name=image; filename=photo.jpg; filename*=utf-8''photo.jpg`],
      'photo.jpg',
    ],
    '.NET quoted, both': [[`${FORM}name="image"; filename="E 1962.JPG"; filename*=utf-8''E%201962.JPG`], 'E 1962.JPG'],
    '.NET ByteArrayContent without a name of a file': [[`${FORM}name=image`], ''],
    'name bare, file quoted': [[`${FORM}name=image; filename="photo.jpg"`], 'photo.jpg'],
    'filename* alone': [[`${FORM}name="image"; filename*=UTF-8''%C3%A4.jpg`], 'ä.jpg'],
    'curl before 7.81': [[`${FORM}name="im\\"age"; filename="a\\"b.jpg"`], 'a"b.jpg'],
    browser: [[`${FORM}name="image"; filename="photo.jpg"`, 'Content-Type: image/jpeg'], 'photo.jpg'],
  };
  for (const [client, [headers, name]] of Object.entries(forms)) {
    for (const quoted of [true, false]) {
      const { status, answer } = await post([[headers, wire.image]], { quoted });
      assert.is(status, 200, client);
      assert.equal(answer, { ...reference, file_name: name }, client);
    }
  }
});

test('a preamble and an epilogue are passed over', async () => {
  const { status, answer } = await post([[[`${FORM}name="image"; filename="a.jpg"`], wire.image]], {
    before: 'This is a multi-part message in MIME format.\r\n',
    after: '\r\n',
  });
  assert.equal([status, answer.annotations], [200, reference.annotations]);
});

test('a second file input in which nothing was chosen makes no list', async () => {
  const empty: [string[], Buffer] = [
    [`${FORM}name="mask"; filename=""`, 'Content-Type: application/octet-stream'],
    Buffer.alloc(0),
  ];
  const { status, answer } = await post([[[`${FORM}name="image"; filename="a.jpg"`], wire.image], empty]);
  assert.equal([status, answer], [200, { ...reference, file_name: 'a.jpg' }]);
  const none = await post([empty]);
  assert.equal([none.status, (none.answer.error as { code: string }).code], [400, 'empty_body']);
});

test('a form that cannot be read says why', async () => {
  const { status, answer } = await post([[[`${FORM}name="image`], wire.image]]);
  const { message } = answer.error as { message: string };
  assert.is(status, 400);
  assert.match(message, 'part 1 has a content-disposition that cannot be read');
});

test.run();
