import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { parseTorchCheckpoint } from '../../../src/model/weights/torch_checkpoint.js';
import type { Weights } from '../../../src/model/weights/weights.js';
import { shared, suiteNeeding } from '../../support/shared.js';
import * as make from './make_pickle.js';

let dir: string;
const test = suite('torch checkpoint');
test.before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'torch-'));
});
test.after(() => rm(dir, { recursive: true }));

/** All tensors of a checkpoint that holds one state dict. */
async function read(bytes: Buffer): Promise<Weights> {
  const [{ tensors }, ...others] = await parseTorchCheckpoint(bytes, 'file');
  assert.is(others.length, 0);
  const values = [...tensors].map(async ([name, tensor]) => [name, await tensor.read()] as const);
  return new Map(await Promise.all(values));
}

async function refusal(bytes: Buffer): Promise<string> {
  const error = await read(bytes).then(
    () => assert.unreachable('it was read'),
    (thrown: unknown) => thrown,
  );
  assert.instance(error, UserError);
  return (error as UserError).message;
}

const floats = (...values: number[]) => make.bytesOf(Float32Array.from(values));
const vector = (key: string, length: number) => make.tensor(make.storage('Float', key, length), [length], [1]);

test('strides and offsets are respected, storages shared', async () => {
  const source = make.storage('Float', '0', 6);
  const root = make.dict({
    rows: make.tensor(source, [2, 3], [3, 1]),
    turned: make.tensor(source, [3, 2], [1, 3]),
    tail: make.tensor(source, [2], [2], 3),
    scalar: make.tensor(source, [], [], 5),
  });
  const state = await read(await make.zipCheckpoint(root, { 0: floats(1, 2, 3, 4, 5, 6) }));
  assert.equal(state.get('rows'), { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) });
  assert.equal(state.get('turned'), { shape: [3, 2], data: Float32Array.of(1, 4, 2, 5, 3, 6) });
  assert.equal(state.get('tail'), { shape: [2], data: Float32Array.of(4, 6) });
  assert.equal(state.get('scalar'), { shape: [], data: Float32Array.of(6) });
});

const STORED: [type: string, bytes: Uint8Array][] = [
  ['Float', floats(1, -2.5)],
  ['Double', make.bytesOf(Float64Array.of(1, -2.5))],
  ['Half', make.bytesOf(Uint16Array.of(0x3c00, 0xc100))],
  ['BFloat16', make.bytesOf(Uint16Array.of(0x3f80, 0xc020))],
];

for (const [type, bytes] of STORED) {
  test(`${type} values are read, in the old format too`, async () => {
    const root = make.dict({ x: make.tensor(make.storage(type, 'k', 2), [2], [1]) });
    for (const file of [
      await make.zipCheckpoint(root, { k: bytes }),
      make.legacyCheckpoint(root, { k: { length: 2, bytes } }),
    ]) {
      assert.equal((await read(file)).get('x')?.data, Float32Array.of(1, -2.5));
    }
  });
}

test('integers are read', async () => {
  const root = make.dict({ n: make.tensor(make.storage('Long', '0', 1), [], []), w: vector('1', 1) });
  const state = await read(await make.zipCheckpoint(root, { 0: make.bytesOf(BigInt64Array.of(-7n)), 1: floats(0) }));
  assert.equal(state.get('n')?.data, Float32Array.of(-7));
});

test('state dicts are found wherever they lie, those of pickled modules too, and of classes that are not known', async () => {
  const state = make.dict({ w: vector('0', 1), n: make.integer(3) });
  const module = (entries: Record<string, Buffer>) => {
    const empty = { _parameters: make.dict({}), _buffers: make.dict({}), _modules: make.dict({}) };
    return make.construct(
      make.global('yolox.models', 'YOLOX'),
      make.dict({ training: make.integer(0), ...empty, ...entries }),
    );
  };
  const root = make.dict({
    callbacks: make.dict({ EMA: make.construct(make.global('lightning', 'EMA'), make.dict({ ema_state: state })) }),
    list: make.list(state),
    model: module({
      _parameters: make.dict({ scale: vector('0', 1) }),
      _modules: make.dict({ head: module({ _buffers: make.dict({ mean: vector('0', 1) }) }) }),
    }),
    odd: Buffer.concat([
      make.call(make.global('collections', 'defaultdict')),
      make.text('w'),
      vector('0', 1),
      Buffer.from('s'),
    ]),
  });
  const dicts = await parseTorchCheckpoint(await make.zipCheckpoint(root, { 0: floats(4) }), 'file');
  assert.equal(
    dicts.map(({ path, tensors }) => [path, [...tensors.keys()]]),
    [
      ['callbacks.EMA.ema_state', ['w']],
      ['list.0', ['w']],
      ['model', ['scale', 'head.mean']],
      ['odd', ['w']],
    ],
  );
  const [{ tensors }] = dicts;
  assert.equal(await tensors.get('w')?.read(), { shape: [1], data: Float32Array.of(4) });
});

test('big-endian values are read, in the old format too', async () => {
  const root = make.dict({ x: vector('0', 2) });
  const bytes = Buffer.alloc(8);
  bytes.writeFloatBE(1, 0);
  bytes.writeFloatBE(-2.5, 4);
  for (const file of [
    await make.zipCheckpoint(root, { 0: bytes }, 'big'),
    make.legacyCheckpoint(root, { 0: { length: 2, bytes } }, true),
  ]) {
    assert.equal((await read(file)).get('x')?.data, Float32Array.of(1, -2.5));
  }
});

test('a changed bit of a value is found by the checksum of the zip', async () => {
  const file = await make.zipCheckpoint(make.dict({ x: vector('0', 2) }), { 0: floats(1, 2) });
  const at = file.indexOf(Buffer.from(floats(1, 2)));
  file[at + 2] ^= 4;
  assert.match(await refusal(file), /wrong CRC-32 in the zip: \w+\/data\/0.*again/);
});

test('nothing a pickle names is run, and classes of others do no harm', async () => {
  const canary = join(dir, 'canary');
  const root = make.dict({
    attack: make.call(make.global('os', 'system'), make.text(`touch ${canary}`)),
    evaluated: make.call(make.global('builtins', 'eval'), make.text(`require('fs').writeFileSync('${canary}', '')`)),
    constructor: make.call(make.global('constructor', 'constructor'), make.text('return 1')),
    optimizer: make.construct(make.global('some.module', 'Thing'), make.dict({ lr: make.integer(1) })),
    model: make.dict({ w: vector('0', 1) }),
  });
  const state = await read(await make.zipCheckpoint(root, { 0: floats(4) }));
  assert.equal([...state.keys()], ['w']);
  assert.is(await readFile(canary).catch(() => 'absent'), 'absent');
});

test('a tensor cannot be changed once it is built', async () => {
  const grown = Buffer.concat([
    vector('0', 1),
    make.dict({ shape: make.tuple(make.integer(2 ** 30)) }),
    Buffer.from('b'),
  ]);
  assert.match(
    await refusal(await make.zipCheckpoint(make.dict({ w: grown }), { 0: floats(4) })),
    /valid torch checkpoint/,
  );
});

test('a checkpoint without tensors is refused', async () => {
  const empty = make.construct(make.global('yolox', 'YOLOX'), make.dict({}));
  const message = /expected a checkpoint with the tensors of a network by name, received "/;
  assert.match(await refusal(await make.zipCheckpoint(make.dict({ model: empty }), {})), /tensors.*keys model/);
  assert.match(
    await refusal(await make.zipCheckpoint(empty, {})),
    new RegExp(`${message.source}an object of yolox\\.YOLOX`),
  );
});

const view = (shape: number[], stride: number[], offset = 0) =>
  make.zipCheckpoint(make.dict({ x: make.tensor(make.storage('Float', '0', 4), shape, stride, offset) }), {
    0: floats(1, 2, 3, 4),
  });

test('views outside their storage are refused', async () => {
  assert.match(await refusal(await view([4], [1], 1)), /outside its storage/);
  assert.match(await refusal(await view([2, 2], [3, 1])), /outside its storage/);
  assert.match(await refusal(await view([100_000, 100_000], [0, 0])), /outside its storage/);
  assert.match(await refusal(await view([-1], [1])), /without a valid/);
});

test('damaged and foreign files are refused', async () => {
  const root = make.dict({ x: vector('0', 2) });
  const zip = await make.zipCheckpoint(root, { 0: floats(1, 2) });
  for (const length of [0, 1, 30, zip.length >> 1, zip.length - 1]) await refusal(zip.subarray(0, length));
  const legacy = make.legacyCheckpoint(root, { 0: { length: 2, bytes: floats(1, 2) } });
  for (const length of [15, 40, legacy.length >> 1, legacy.length - 1]) await refusal(legacy.subarray(0, length));
  assert.match(await refusal(await make.zipCheckpoint(root, { 0: floats(1) })), /4 bytes for storage 0/);
  assert.match(await refusal(await make.zipCheckpoint(root, {})), /without \w+\/data\/0/);
  await refusal(Buffer.from('not a checkpoint'));
  assert.match(await refusal(await make.zipCheckpoint(Buffer.from('R'), {})), /valid torch checkpoint/);
});

test.run();

const LEGACY = shared('weights/yolox_nano_legacy_v010.pth');
const realTest = suiteNeeding('torch checkpoint, real', [LEGACY]);

realTest('a checkpoint of torch before 1.6 is read whole', async () => {
  const state = await read(await readFile(LEGACY));
  assert.is(state.size, 642);
  assert.equal(state.get('head.cls_preds.2.weight')?.shape, [80, 64, 1, 1]);
  const variances = [...state].filter(([name]) => name.endsWith('running_var'));
  assert.ok(variances.length === 104 && variances.every(([, { data }]) => data.every((value) => value >= 0)));
});

realTest.run();
