import { spawnSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkSameAnswers } from '../../bench/serve/answers.js';
import { bareVariants, startBare } from '../../bench/serve/bare.js';
import { startPeer, startServer } from '../../bench/serve/servers.js';
import { against, takeTurns } from '../../bench/serve/turns.js';
import { makeBundle } from '../serve/make_bundle.js';

const test = suite('bench serve');

test('everybody takes turns, and who goes first changes', async () => {
  const played: string[] = [];
  const players = ['a', 'b', 'c'].map((name) => ({ name, play: async () => played.push(name) }));
  const figures = await takeTurns(players, 3);
  assert.is(played.join(''), 'abcbcacab');
  assert.equal(figures, [
    [1, 6, 8],
    [2, 4, 9],
    [3, 5, 7],
  ]);
});

test('a ratio above 1 means the first is better, whether more or less is', () => {
  const players = ['ours', 'peer'].map((name) => ({ name, play: async () => 0 }));
  const figures = [
    [10, 20, 30],
    [5, 20, 10],
  ];
  const [rate] = against({ name: 'rate', unit: '/s', more: true }, players, figures);
  assert.equal(rate.ratio, { min: 1, median: 2, max: 3 });
  const [time] = against({ name: 'time', unit: 'ms', more: false }, players, figures);
  assert.equal(time.ratio, { min: 1 / 3, median: 0.5, max: 1 });
  assert.equal([time.ours, time.peer, time.peer_name], [20, 10, 'peer']);
});

/** A server in a process of its own that says the same of every image. */
function saying(name: string, annotations: object[], code = '') {
  const answer = JSON.stringify({ annotations });
  const server = `require('node:http').createServer((q, a) => q.resume().on('end', () => a.end(${JSON.stringify(answer)})))`;
  return {
    name,
    command: (port: number) => ({ file: process.execPath, args: ['-e', `${code};${server}.listen(${port})`] }),
    body: 'raw' as const,
    field: 'image',
  };
}

const image = import.meta.filename;
const dog = { id: 1, image_id: 0, category_id: 18, score: 0.9, bbox: [10, 10, 100, 100], segmentation: [] };

test('servers that see other things are not compared', async () => {
  const servers = await Promise.all(
    [
      saying('one', [dog]),
      // A decoder's grey levels move a box a little, and an unsure object in or out.
      saying('alike', [
        { ...dog, bbox: [10.5, 10, 100, 101] },
        { ...dog, category_id: 3, score: 0.26 },
      ]),
      saying('unlike', [dog, { ...dog, category_id: 17 }]),
    ].map((server) => startServer(server, image)),
  );
  try {
    const [one, alike, unlike] = servers;
    assert.equal(await checkSameAnswers(one, alike, [image]), { objects: 2, share: 1 });
    const error = await checkSameAnswers(one, unlike, [image]).catch((thrown: Error) => thrown);
    assert.match(String(error), /one and unlike: expected the same objects.*66\.7 % of 3/);
  } finally {
    for (const server of servers) await server.stop();
  }
});

test('a peer that is not there is left out', async () => {
  assert.is(await startPeer(saying('dead', [], 'throw new Error("no such module")'), image), undefined);
  const absent = { ...saying('absent', []), command: () => ({ file: '/nonexistent/python', args: [] }) };
  assert.is(await startPeer(absent, image), undefined);
});

test('bare onnxruntime runs in as many processes as asked, with the cores shared out', async () => {
  assert.ok(bareVariants(4).some(({ processes, threads }) => processes === 2 && threads === 2));
  const bundle = await makeBundle();
  const images = [join(bundle, 'test_image.jpg')];
  const bare = await startBare({ processes: 2, threads: 1, spin: false }, { bundle, images });
  const { rate, p50 } = await bare.measure(0.2);
  bare.stop();
  await rm(bundle, { recursive: true });
  assert.ok(rate > 0 && p50 > 0);
});

test('an unknown part is named, with those there are', () => {
  const args = ['--import', 'tsx', 'bench/run.ts', 'serve', 'nanno'];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: resolve('.'), encoding: 'utf8' });
  assert.is(status, 2);
  assert.match(stderr, 'Did you mean "nano"?');
});

test.run();
