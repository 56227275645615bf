import { rm } from 'node:fs/promises';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { configSchema } from '../../../src/config/schema.js';
import { type RunningServer, startServer } from '../../../src/serve/server.js';
import { familyOf, residentBytes } from '../fuzz/processes.js';
import { makeBundle, randomJpeg } from '../make_bundle.js';

const test = suite('decompression bombs');
/** An image of the largest size allowed takes 12 MB decoded; what the bombs claim takes gigabytes. */
const LIMITS = { maxPixels: 4_000_000, maxSide: 4096 };
const MEMORY_BYTES = 100e6;
let dir: string;
let server: RunningServer;
let jpeg: Buffer;

test.before(async () => {
  dir = await makeBundle();
  jpeg = await randomJpeg(4, 64, 48);
  server = await startServer(dir, { ...configSchema.parse({}).serve, ...LIMITS, port: 0, logLevel: 'silent' });
});
test.after(async () => {
  await server.close();
  await rm(dir, { recursive: true });
});

interface Reply {
  width?: number;
  height?: number;
  error?: { code: string };
}

async function ask(body: Buffer): Promise<[number, Reply]> {
  const response = await fetch(`${server.url}/predict`, { method: 'POST', body });
  return [response.status, (await response.json()) as Reply];
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, check] = [data.length, crc32(body)].map((value) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  });
  return Buffer.concat([length, body, check]);
}

/** A PNG of black pixels, 1 bit each, whose data is that of `rows` rows. */
function png(width: number, height: number, rows: number, ...extra: Buffer[]): Buffer {
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  const data = deflateSync(Buffer.alloc(rows * (1 + Math.ceil(width / 8))));
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    ...extra,
    chunk('IDAT', data),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** The file with other bytes after the first place where `mark` stands. */
function patched(file: Buffer, mark: Buffer, offset: number, bytes: readonly number[]): Buffer {
  const at = file.indexOf(mark);
  assert.ok(at >= 0);
  Buffer.from(bytes).copy(file, at + offset);
  return file;
}

/** Most bytes that the model's process has ever held. */
const largest = () =>
  Math.max(...familyOf(process.pid).map((pid) => (pid === process.pid ? 0 : residentBytes([pid], 'VmHWM'))));

test('files that claim to be huge are refused by their headers, whatever the format', async () => {
  const from = () => sharp(jpeg);
  const bombs: Record<string, Buffer> = {
    png: png(50_000, 50_000, 100),
    'png, whole': png(20_000, 20_000, 20_000),
    jpeg: patched(Buffer.from(jpeg), Buffer.from([0xff, 0xc0]), 5, [0xff, 0xdc, 0xff, 0xdc]),
    gif: patched(await from().gif().toBuffer(), Buffer.from('GIF89a'), 6, [0xff, 0xff, 0xff, 0xff]),
    webp: patched(await from().webp().toBuffer(), Buffer.from([0x9d, 0x01, 0x2a]), 3, [0xff, 0x3f, 0xff, 0x3f]),
    tiff: patched(await from().tiff().toBuffer(), Buffer.from([0x00, 0x01, 0x03, 0x00, 0x01]), 8, [0xff, 0xff]),
    avif: patched(
      await from().avif({ effort: 0 }).toBuffer(),
      Buffer.from('ispe'),
      8,
      [0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff],
    ),
    'a line': await sharp({ create: { width: 16_000, height: 2, channels: 3, background: '#888' } })
      .png()
      .toBuffer(),
  };
  const before = largest();
  for (const [name, bomb] of Object.entries(bombs)) {
    const [status, { error, width, height }] = await ask(bomb);
    // Some readers believe the frame rather than the claim.
    const outcome = status === 200 ? `${width}x${height}` : `${status} ${error?.code}`;
    assert.ok(['413 too_many_pixels', '422 undecodable', '64x48'].includes(outcome), `${name}: ${outcome}`);
    if (name.startsWith('png') || name === 'jpeg' || name === 'a line') assert.is(status, 413, name);
  }
  assert.ok(largest() - before < MEMORY_BYTES, `${largest() - before} bytes more`);
});

test('what unpacks beside the pixels is bounded as well', async () => {
  const zeros = deflateSync(Buffer.alloc(200_000_000));
  const text = Buffer.concat([Buffer.from('Comment\0\0', 'latin1'), zeros]);
  const profile = Buffer.concat([Buffer.from('p\0\0', 'latin1'), zeros]);
  const before = largest();
  for (const extra of [
    chunk('zTXt', text),
    chunk('iCCP', profile),
    chunk('iTXt', Buffer.concat([Buffer.from('a\0\x01\0\0\0', 'latin1'), zeros])),
  ]) {
    const [status] = await ask(png(64, 48, 48, extra));
    assert.ok(status === 200 || status === 422, `status ${status}`);
  }
  assert.ok(largest() - before < MEMORY_BYTES, `${largest() - before} bytes more`);
});

test('of an animation or a file of many pages the first image is looked at, and nothing else', async () => {
  const frames = { create: { width: 40, height: 40 * 500, pageHeight: 40, channels: 3 as const, background: '#888' } };
  for (const file of [
    await sharp(frames).gif().toBuffer(),
    await sharp(frames).webp().toBuffer(),
    await sharp(frames).tiff().toBuffer(),
  ]) {
    const [status, { width, height }] = await ask(file);
    assert.equal([status, width, height], [200, 40, 40]);
  }
});

test.run();
