import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { z } from 'zod';
import { schemaAt } from '../../src/config/keys.js';
import { configSchema } from '../../src/config/schema.js';
import { valueOfText, valueOfYaml, YamlError } from '../../src/config/text.js';

const test = suite('values as they are written');
const schemaOf = (key: string) => schemaAt(key.split('.')) as z.ZodType;

test('text is text, whatever it looks like', () => {
  for (const name of [
    '300',
    '007',
    '1.0',
    '1e3',
    'yes',
    'true',
    'null',
    '0x10',
    '2024-01-01',
    '.5',
    '-',
    '[a]',
    '#x',
    'a: b',
    '*.pth',
    '@list',
    ' x ',
  ])
    assert.is(valueOfText(name, schemaOf('pack.license')), name);
});

test('null is null where the schema takes it, quotes make it a name', () => {
  for (const word of ['null', 'Null', 'NULL', '~']) assert.is(valueOfText(word, schemaOf('train.weights')), null);
  assert.is(valueOfText('"null"', schemaOf('train.weights')), 'null');
  assert.is(valueOfText("'7'", schemaOf('pack.name')), '7');
  assert.is(valueOfText('"a\\tb"', schemaOf('pack.license')), 'a\tb');
  for (const odd of ['"a', '"a" and "b"', "'"]) assert.is(valueOfText(odd, schemaOf('pack.license')), odd);
});

test('numbers, booleans and lists are YAML; nothing is not null', () => {
  assert.is(valueOfText('1e1', schemaOf('train.epochs')), 10);
  assert.is(valueOfText('false', schemaOf('train.ema.enabled')), false);
  assert.is(valueOfText('null', schemaOf('train.patience')), null);
  assert.is(valueOfText('', schemaOf('train.patience')), '');
  assert.equal(valueOfText('[02146, 1.0, null, yes, "x"]', schemaOf('prep.categories')), [
    '02146',
    '1.0',
    'null',
    'yes',
    'x',
  ]);
  assert.equal(valueOfText('[1, 2]', schemaOf('test.sweep')), [1, 2]);
  assert.throws(
    () => valueOfText('[1', schemaOf('test.sweep')),
    (error: unknown) => error instanceof YamlError,
  );
});

test('a file keeps the source of names, in lists, blocks and behind anchors', () => {
  const file = `
pack: {name: 300, version: 1.0, license: null}
prep:
  categories:
    - 02146
    - &one 1.0
    - *one
    - !!str 0x10
    - |-
      two words
train: {weights: null, epochs: 3}
data: {source: coco, images: 2024}
`;
  assert.equal(valueOfYaml(file, configSchema), {
    pack: { name: '300', version: '1.0', license: 'null' },
    prep: { categories: ['02146', '1.0', '1.0', '0x10', 'two words'] },
    train: { weights: null, epochs: 3 },
    data: { source: 'coco', images: '2024' },
  });
});

test('what is missing stays null, and what is unknown keeps its value', () => {
  assert.equal(valueOfYaml('pack: {name: , 7: 8}\nodd: {a: 1, b: [x]}', configSchema), {
    pack: { name: null, 7: 8 },
    odd: { a: 1, b: ['x'] },
  });
});

test('a key twice, an unknown tag, two documents and aliases without end are refused or harmless', () => {
  for (const file of ['a: 1\na: 2', 'store: !color red', 'a: 1\n---\nb: 2', 'store: *nowhere']) {
    assert.throws(
      () => valueOfYaml(file, configSchema),
      (error: unknown) => error instanceof YamlError,
      file,
    );
  }
  assert.ok(valueOfYaml('data: &a {builtin: *a}', configSchema));
});

test.run();
