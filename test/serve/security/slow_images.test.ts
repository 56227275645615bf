import { rm } from 'node:fs/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { configSchema } from '../../../src/config/schema.js';
import { type RunningServer, startServer } from '../../../src/serve/server.js';
import { flatAvif, gifFrames, manyScans, nestedSvg, webpFrames } from '../../image/make_hostile.js';
import { makeTiff } from '../../image/make_tiff.js';
import { descendantsOf, residentBytes } from '../fuzz/processes.js';
import { makeBundle, randomJpeg } from '../make_bundle.js';

const test = suite('slow images');
/** A minute for each answer: how fast the machine is does not matter. */
const LIMITS = { deadline: 60_000, decodeTimeout: 20_000 };
let dir: string;
let server: RunningServer;
let jpeg: Buffer;
/** Servers with limits of their own. */
const opened: RunningServer[] = [];

test.before(async () => {
  dir = await makeBundle();
  jpeg = await randomJpeg(4, 64, 48);
  server = await startServer(dir, { ...configSchema.parse({}).serve, ...LIMITS, port: 0, logLevel: 'silent' });
});
test.after(async () => {
  for (const one of [server, ...opened]) await one.close();
  await rm(dir, { recursive: true });
});

interface Reply {
  status: number;
  code?: string;
  received?: unknown;
  hint?: string;
}

async function ask(body: Buffer, base = server.url): Promise<Reply> {
  const response = await fetch(`${base}/predict`, { method: 'POST', body });
  const { error } = (await response.json()) as { error?: { code: string; received: unknown; hint?: string } };
  return { status: response.status, ...error };
}

/** A client that sends one good image after the other until `work` is done. @returns how many were answered */
async function beside(work: Promise<unknown>, base = server.url): Promise<number> {
  let over = false;
  void work.finally(() => {
    over = true;
  });
  let answers = 0;
  do {
    assert.is((await ask(jpeg, base)).status, 200);
    answers++;
  } while (!over);
  return answers;
}

const restarts = async (base = server.url) =>
  (await (await fetch(`${base}/metrics`)).text()).match(/^yolox_model_restarts_total\S* ([1-9]\d*)/m)?.[1] ?? '0';

test('files that would cost a decoder minutes are refused with the reason, and others are answered', async () => {
  const tags = Array.from({ length: 3000 }, (_, i): [number, number, number[]] => [40_000 + i, 4, [i]]);
  const files: [file: Buffer, status: number, code: string][] = [
    [nestedSvg(), 422, 'undecodable'],
    [Buffer.concat([Buffer.from('\ufeff<?xml version="1.0"?>'), nestedSvg()]), 422, 'undecodable'],
    [await manyScans(10_000), 413, 'too_many_parts'],
    [await manyScans(1000, 1240, false), 413, 'too_many_parts'],
    [await webpFrames(40_000), 413, 'too_many_parts'],
    [await gifFrames(40_000), 413, 'too_many_parts'],
    [makeTiff({ pages: 150_000 }), 413, 'too_many_parts'],
    [makeTiff({ more: tags }), 413, 'too_many_parts'],
  ];
  const attack = Promise.all(
    Array.from({ length: 16 }, async (_, i) => {
      const [file, status, code] = files[i % files.length];
      const reply = await ask(file);
      assert.equal([reply.status, reply.code], [status, code], `file ${i % files.length}`);
      assert.ok(reply.received && reply.hint);
    }),
  );
  await Promise.all([attack, beside(attack)]);
  assert.is(await restarts(), '0');
});

test('large images sent at once are decoded one after the other, between those of others', async () => {
  // 16 megapixels in 300 bytes: 240 MB each while it is decoded.
  const avif = await flatAvif(4000);
  const few = { ...LIMITS, decodeTimeout: 3000 };
  const own = await startServer(dir, { ...configSchema.parse({}).serve, ...few, port: 0, logLevel: 'silent' });
  opened.push(own);
  // The detector of long images and the decoder's process start with the first of them.
  await ask(avif, own.url);
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, residentBytes(descendantsOf(process.pid)));
  }, 20);
  const before = residentBytes(descendantsOf(process.pid));
  const form = new FormData();
  for (let i = 0; i < 8; i++) form.append('image', new Blob([new Uint8Array(avif)]), `${i}.avif`);
  const attack = fetch(`${own.url}/predict`, { method: 'POST', body: form }).then((response) => response.json());
  const answered = await beside(attack, own.url);
  clearInterval(watch);
  const { answers } = (await attack) as { answers: { width?: number; error?: { code: string } }[] };
  // On a busy machine one may take longer than it is given.
  for (const { width, error } of answers)
    assert.ok(width === 4000 || error?.code === 'too_slow', JSON.stringify(error));
  assert.ok(answered >= 8, `${answered} answers to others`);
  assert.ok(most - before < 700e6, `${Math.round((most - before) / 1e6)} MB more`);
  assert.is(await restarts(own.url), '0');
});

test('an image that takes longer than it is given is refused, and those after it are answered', async () => {
  const short = { ...LIMITS, decodeTimeout: 100 };
  const own = await startServer(dir, { ...configSchema.parse({}).serve, ...short, port: 0, logLevel: 'silent' });
  opened.push(own);
  const attack = ask(await flatAvif(4000), own.url);
  await beside(attack, own.url);
  const { status, code } = await attack;
  assert.equal([status, code], [413, 'too_slow']);
  assert.is(await restarts(own.url), '0');
});

test('each image of a form is refused for its own reason', async () => {
  const broken: [Buffer, RegExp][] = [
    [Buffer.from('text'), /text/],
    [jpeg.subarray(0, 300), /cut off/],
    [makeTiff({ more: [[259, 3, [9999]]] }), /9999/],
    [Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic'), /HEVC/],
    [Buffer.from('%PDF-1.7'), /PDF/],
  ];
  const form = new FormData();
  for (const [file] of [...broken, ...broken]) form.append('image', new Blob([new Uint8Array(file)]), 'a.jpg');
  form.append('image', new Blob([new Uint8Array(jpeg)]), 'good.jpg');
  const response = await fetch(`${server.url}/predict`, { method: 'POST', body: form });
  const { answers } = (await response.json()) as { answers: { error?: { received: string }; width?: number }[] };
  for (const [i, [, reason]] of [...broken, ...broken].entries())
    assert.match(String(answers[i].error?.received), reason);
  assert.is(answers[10].width, 64);
});

test.run();
