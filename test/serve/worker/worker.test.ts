import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bundle, readBundle } from '../../../src/detect/bundle.js';
import type { OpenedMessage, OpenMessage } from '../../../src/serve/worker/main.js';
import { StreamChannel } from '../../../src/serve/worker/worker_channel.js';
import { makeBundle, randomJpeg } from '../make_bundle.js';

const test = suite('worker');
const options = {
  instances: 1,
  threads: 1,
  maxBatch: 2,
  provider: 'auto' as const,
  maxPixels: 10_000_000,
  maxSide: 5000,
  decodeTimeout: 30_000,
};
let bundle: Bundle;

test.before(async () => {
  bundle = await readBundle(await makeBundle());
});
test.after(() => rm(bundle.dir, { recursive: true }));

/** The process, with a stream to each of two detectors. */
function start() {
  const entry = fileURLToPath(new URL('../../../src/serve/worker/main.ts', import.meta.url));
  const child = fork(entry, { stdio: ['ignore', 2, 2, 'ipc', 'pipe', 'pipe'], execArgv: process.execArgv });
  const channels = child.stdio.slice(4).map((stream) => new StreamChannel(stream as Duplex));
  const open = async (opened: Bundle): Promise<OpenedMessage> => {
    child.send({ bundle: opened, options, streams: [4, 5] } satisfies OpenMessage);
    const [message] = await once(child, 'message');
    return message as OpenedMessage;
  };
  return { child, channels, open };
}

test('each stream has a detector of its own, and the process ends with the last of them', async () => {
  const { child, channels, open } = start();
  const opened = await open(bundle);
  assert.ok('info' in opened);
  assert.is(opened.info.maxBatch, 2);
  assert.ok(['cpu', 'cuda'].includes(opened.info.provider));
  const bytes = await readFile(join(bundle.dir, 'test_image.jpg'));
  // Larger than what a detector keeps room for, and than what a socket holds.
  const large = Buffer.concat([await randomJpeg(5, 900, 540), Buffer.alloc(5_000_000)]);
  const [first, second] = await Promise.all([
    channels[0].run([{ bytes }, { bytes: large }]),
    channels[1].run([{ bytes }]),
  ]);
  assert.equal(first.outcomes[0], second.outcomes[0]);
  assert.ok('detections' in first.outcomes[1]);
  channels[0].end();
  // The other one still answers.
  assert.equal(
    (await channels[1].run([{ bytes: [bytes.subarray(0, 100), bytes.subarray(100)] }])).outcomes,
    second.outcomes,
  );
  const exited = once(child, 'exit');
  channels[1].end();
  assert.equal(await exited, [0, null]);
});

test('a model that cannot be loaded is told, and ends the process', async () => {
  const { child, open } = start();
  const exited = once(child, 'exit');
  const { model } = bundle;
  const opened = await open({ ...bundle, model: { ...model, file: 'test_image.jpg' } });
  assert.ok('problem' in opened);
  assert.is(opened.problem.expected, 'an ONNX model');
  await exited;
});

test('the end of the service is the end of the process', async () => {
  const { child, channels, open } = start();
  await open(bundle);
  const exited = once(child, 'exit');
  // As the system closes them when the service has died.
  child.disconnect();
  for (const channel of channels) channel.end();
  await exited;
});

test.run();
