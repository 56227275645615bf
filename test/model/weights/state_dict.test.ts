import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { parameters } from '../../../src/model/parameters.js';
import { toMmdet } from '../../../src/model/weights/key_map.js';
import { readNetwork, type StateDict } from '../../../src/model/weights/state_dict.js';

const test = suite('a network among the tensors of a file');

const NAMES = parameters({ depth: 0.33, width: 0.125, depthwise: false, classes: 3 }).map(({ name }) => name);

/** Tensors of these names; each holds `value`. */
const dict = (names: readonly string[], path = '', value = 1, dtype = 'F32'): StateDict => ({
  path,
  tensors: new Map(names.map((name) => [name, { dtype, read: () => ({ shape: [1], data: Float32Array.of(value) }) }])),
});
const under = (prefix: string, names = NAMES) => names.map((name) => prefix + name);
const merged = (...dicts: StateDict[]): StateDict => ({
  path: '',
  tensors: new Map(dicts.flatMap(({ tensors }) => [...tensors])),
});

async function refusal(...dicts: StateDict[]): Promise<string> {
  const error = await readNetwork(dicts, 'file').then(
    () => assert.unreachable('it was taken'),
    (thrown: unknown) => thrown,
  );
  assert.instance(error, UserError);
  return (error as UserError).message;
}

/** The value of the tensors that were taken. */
async function takenOf(...dicts: StateDict[]): Promise<number> {
  const { weights } = await readNetwork(dicts, 'file');
  assert.equal([...weights.keys()].sort(), NAMES.toSorted());
  const values = new Set([...weights.values()].map(({ data }) => data[0]));
  assert.is(values.size, 1);
  return [...values][0];
}

test('names of the network alone are taken as they are, without a word', async () => {
  const { weights, mmdet, notices } = await readNetwork([dict(NAMES)], 'file');
  assert.equal([[...weights.keys()], mmdet, notices], [NAMES, false, []]);
});

test('whatever the names begin with, in any order and depth, it is taken off and told', async () => {
  const segment = fc.constantFrom(
    'module',
    '_orig_mod',
    'model',
    'net',
    'detector',
    'student',
    'yolox',
    '0',
    'wrapped',
  );
  const prefix = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => `${parts.join('.')}.`);
  await fc.assert(
    fc.asyncProperty(prefix, fc.boolean(), async (start, mmdet) => {
      const names = mmdet ? NAMES.map(toMmdet) : NAMES;
      const found = await readNetwork([dict(under(start, names))], 'file');
      assert.equal([[...found.weights.keys()], found.mmdet], [NAMES, mmdet]);
      assert.equal(found.notices, [`"${start}" is taken out of the names of ${NAMES.length} tensors`]);
    }),
    { numRuns: 40 },
  );
});

test('wrappers inside a name go as well', async () => {
  const wrapped = NAMES.map((name) =>
    name.replace(/^backbone\./, 'backbone._orig_mod.').replace(/^head\./, 'head.module.'),
  );
  const { weights, notices } = await readNetwork([dict(under('model.', wrapped))], 'file');
  assert.equal([...weights.keys()], NAMES);
  assert.match(notices.join(), /"model\." and "_orig_mod\." and "module\."/);
});

test('of several networks the averaged one is taken', async () => {
  for (const path of ['ema', 'model_ema', 'state_dict_ema', 'callbacks.EMA.ema_state_dict', 'averaged.module']) {
    assert.is(await takenOf(dict(NAMES, 'model', 1), dict(under('module.'), path, 2)), 2, path);
  }
  for (const prefix of ['ema.', 'ema_model.module.', 'model.ema.', 'swa.']) {
    const both = merged(dict(under('model.'), '', 1), dict(under(prefix), '', 2));
    assert.is(await takenOf(both), 2, prefix);
    const { notices } = await readNetwork([both], 'file');
    assert.match(
      notices[0],
      new RegExp(`of 2 networks in the file, the whole file \\(names beginning with "${prefix}"\\) is used, not`),
    );
  }
  assert.is(await takenOf(merged(dict(NAMES, '', 1), dict(under('ema.'), '', 2))), 2);
});

test('mmdetection keeps the averaged weights in the place of the others', async () => {
  const names = NAMES.map(toMmdet);
  const old = dict(
    names.map((name) => `ema_${name.replaceAll('.', '_')}`),
    '',
    2,
  );
  assert.is(await takenOf(merged(dict(names, '', 1), old)), 1);
  assert.is(await takenOf(dict(names, 'state_dict', 1), dict(under('module.', names), 'ema_state_dict', 2)), 1);
});

test('several that nothing tells apart are refused, each named', async () => {
  assert.match(
    await refusal(merged(dict(under('student.')), dict(under('teacher.')))),
    /one network, or one that is averaged.*student\..*teacher\..*Save the one you mean/,
  );
  assert.match(await refusal(dict(NAMES, 'ema', 1), dict(NAMES, 'ema2.ema', 2)), /received "ema, ema2\.ema"/);
  assert.match(
    await refusal(dict([...NAMES, ...under('module.')])),
    /expected one tensor of that name, received ".* and module\./,
  );
});

test('tensors beside the network are kept, to be listed', async () => {
  const { weights } = await readNetwork([dict([...under('model.'), 'model.loss.scale', 'step.size'])], 'file');
  assert.equal(
    [...weights.keys()].filter((name) => !NAMES.includes(name)),
    ['loss.scale', 'step.size'],
  );
});

test('a file without the network says what it holds, and what is nearest', async () => {
  assert.match(
    await refusal(dict(['model.0.conv.weight', 'model.24.m.0.bias'], 'model')),
    /name ends in head\.cls_preds\.0\.weight.*received "2 tensors model: model\.0/,
  );
  const renamed = NAMES.map((name) => name.replace('cls_preds', 'class_preds'));
  assert.match(
    await refusal(dict(renamed.filter((name) => !name.includes('backbone.')))),
    /The nearest name is head\.class_preds\.0\.weight/,
  );
  assert.match(
    await refusal(dict(NAMES.filter((name) => name.startsWith('backbone.')))),
    /The backbone is there, the head is missing/,
  );
});

test('integers among the weights are refused, those beside them are not read', async () => {
  const quantised = merged(dict(NAMES), dict(['head.reg_preds.1.weight'], '', 1, 'I8'));
  assert.match(
    await refusal(quantised),
    /head\.reg_preds\.1\.weight: expected floating-point numbers, received "I8"\. Quantised/,
  );
  const counted = merged(
    dict(NAMES),
    dict(['backbone.backbone.stem.conv.bn.num_batches_tracked', 'n_averaged'], '', 1, 'I64'),
  );
  assert.is(await takenOf(counted), 1);
});

test.run();
