import { readFile, rm } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { configSchema } from '../../src/config/schema.js';
import { checkPixels, decodeImage, ImageError } from '../../src/image/decode.js';
import { type RunningServer, startServer } from '../../src/serve/server.js';
import { makeBundle, randomJpeg } from '../serve/make_bundle.js';
import { caseFile, caseSuite } from './helpers.js';

const NAME = '41-slow-images';
const test = caseSuite(NAME);
let dir: string;
let server: RunningServer;

test.before(async () => {
  dir = await makeBundle();
  // Time enough for sixteen large images one after the other, on a busy machine.
  const limits = { deadline: 120_000, decodeTimeout: 20_000, port: 0, logLevel: 'silent' as const };
  server = await startServer(dir, { ...configSchema.parse({}).serve, ...limits });
});
test.after(async () => {
  await server.close();
  await rm(dir, { recursive: true });
});

async function ask(body: Uint8Array): Promise<[status: number, code: string | undefined]> {
  const response = await fetch(`${server.url}/predict`, { method: 'POST', body });
  return [response.status, ((await response.json()) as { error?: { code: string } }).error?.code];
}

test('the SVG and the JPEG of 10,000 scans are refused at once, and a normal client goes on', async () => {
  const jpeg = await randomJpeg(4, 64, 48);
  const svg = await readFile(caseFile(NAME, 'x_svg_text.svg'));
  const scans = await readFile(caseFile(NAME, 'prog_1240_10000.jpg'));
  const asked = [svg, scans, svg, jpeg, scans, jpeg];
  const refused: [number, string | undefined][] = [
    [422, 'undecodable'],
    [413, 'too_many_parts'],
  ];
  const good: [number, string | undefined] = [200, undefined];
  assert.equal(await Promise.all(asked.map(ask)), [refused[0], refused[1], refused[0], good, refused[1], good]);
});

test('data-load and predict refuse them for the same reason', async () => {
  for (const read of [decodeImage, checkPixels]) {
    for (const [file, fault] of [
      ['x_svg_text.svg', 'format'],
      ['prog_1240_10000.jpg', 'tooManyParts'],
    ]) {
      const error = await read(caseFile(NAME, file)).catch((reason: unknown) => reason);
      assert.instance(error, ImageError);
      assert.is((error as ImageError).fault, fault);
    }
  }
});

test('the AVIF of 49 megapixels is answered, or refused for its time', async () => {
  const [status, code] = await ask(await readFile(caseFile(NAME, 'avif_7000.avif')));
  assert.ok(status === 200 || code === 'too_slow', `${status} ${code}`);
});

test.run();
