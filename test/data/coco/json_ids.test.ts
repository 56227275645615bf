import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { freeNumbers, type Id, idOf, numberIds, parseJsonIds } from '../../../src/data/coco/json_ids.js';

const test = suite('json_ids');

const FIELDS = ['id', 'image_id', 'category_id'] as const;
const integers = fc.bigInt({ min: -(10n ** 22n), max: 10n ** 22n });

test('integers of any length stay themselves and apart as ids', () => {
  fc.assert(
    fc.property(integers, fc.constantFrom(...FIELDS), fc.constantFrom('', ' ', '\n\t'), (id, field, blank) => {
      const read = (value: bigint, tail = '') =>
        idOf(
          (parseJsonIds(`{"${field}"${blank}:${blank}${value}${tail}${blank}}`, 'x') as Record<string, unknown>)[field],
        );
      assert.is(String(read(id)), String(id));
      assert.is(read(id, '.0'), read(id));
      assert.is.not(read(id + 1n), read(id));
      assert.is(idOf(String(id)), read(id));
    }),
  );
});

test('only ids are read so: other numbers and any strings are as JSON.parse reads them', () => {
  const digits = fc.stringMatching(/^\d{16,20}$/);
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    digits.map((long) => `{"id": ${long}}`),
    digits.map((long) => `\\"id": ${long}, x`),
    digits.map((long) => `id": ${long}}`),
    digits,
  );
  fc.assert(
    fc.property(fc.array(text), fc.dictionary(text, fc.oneof(text, fc.double())), (strings, fields) => {
      delete fields.id;
      const value = { strings, fields, area: 702.1057499999998, big: 1e21, file_name: '"id": 12345678901234567890' };
      for (const indent of [0, 1]) {
        const json = JSON.stringify(value, null, indent);
        assert.equal(parseJsonIds(json, 'x'), JSON.parse(json));
      }
    }),
  );
});

test("a byte order mark is skipped; Python's NaN and Infinity are null", () => {
  assert.equal(parseJsonIds('\uFEFF[1]', 'x'), [1]);
  assert.equal(parseJsonIds('[{"id": 12345678901234567890, "score": NaN}, -Infinity, "NaN"]', 'x'), [
    { id: '12345678901234567890', score: null },
    null,
    'NaN',
  ]);
  assert.throws(
    () => parseJsonIds('{"id": ', 'x.json'),
    (error: Error) => error instanceof UserError && /^x\.json: expected valid JSON/.test(error.message),
  );
});

test('an integer and its text are one id; what is no id is none', () => {
  const same: [unknown, Id | undefined][] = [
    [1, 1],
    ['1', 1],
    ['1.0', 1],
    [-3, -3],
    ['-3', -3],
    ['-0', 0],
    [0, 0],
    ['01', '01'],
    ['a 1', 'a 1'],
    ['9007199254740993', '9007199254740993'],
    ['9007199254740993.0', '9007199254740993'],
    ...[undefined, null, '', true, 1.5, 2 ** 53, Number.NaN, [1], {}].map((value): [unknown, undefined] => [
      value,
      undefined,
    ]),
  ];
  for (const [value, id] of same) assert.ok(Object.is(idOf(value), id), `${typeof value} ${value}`);
});

test('numbers for ids: safe integers keep theirs, text gets free ones, none is given twice', () => {
  assert.equal(
    [...numberIds(['b', 7, 'a', 'b', -2])],
    [
      ['b', 8],
      [7, 7],
      ['a', 9],
      [-2, -2],
    ],
  );
  const ids = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.string(), fc.constant(Number.MAX_SAFE_INTEGER));
  fc.assert(
    fc.property(fc.array(ids), (list) => {
      const numbers = numberIds(list);
      assert.is(new Set(numbers.values()).size, new Set(list).size);
      assert.ok([...numbers.values()].every(Number.isSafeInteger));
      for (const id of list) if (typeof id === 'number') assert.is(numbers.get(id), id);
    }),
  );
  const free = freeNumbers([1, Number.MAX_SAFE_INTEGER]);
  assert.equal([free(), free()], [2, 3]);
});

test.run();
