import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ApiError, type ErrorBody } from '../../../src/serve/api_error.js';
import { readQuery } from '../../../src/serve/http/query.js';

const test = suite('query');
const categories = ['circle', 'square', 'star'].map((name, i) => ({ id: i + 1, name }));
const read = (query: string) => readQuery(new URLSearchParams(query), categories);

function refused(query: string): ErrorBody {
  try {
    read(query);
  } catch (error) {
    assert.instance(error, ApiError);
    assert.is((error as ApiError).status, 400);
    return (error as ApiError).body;
  }
  return assert.unreachable(`${query} was taken`) as never;
}

test('nothing asked leaves everything as the bundle says', () => {
  assert.equal(read(''), { imageId: 0, thresholds: {}, format: undefined });
});

test('whatever is in range is read as it was written', () => {
  const unit = fc.double({ min: 0, max: 1, noNaN: true });
  const asked = fc.record(
    {
      confidence: unit,
      iou: unit,
      maxDetections: fc.integer({ min: 1, max: 1000 }),
      classes: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 4 }),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(asked, fc.nat(), fc.constantFrom('json', 'coco', 'png'), (thresholds, imageId, format) => {
      const { confidence, iou, maxDetections } = thresholds;
      const classes = thresholds.classes.map((i) => (i % 2 ? ` ${categories[i].name}` : categories[i].id));
      const query = { conf: confidence, iou, max: maxDetections, classes, image_id: imageId, format };
      const text = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
      assert.equal(read(text.join('&')), { imageId, thresholds, format });
    }),
  );
});

test('a wrong value is refused with its name, what is expected, and what came', () => {
  const wrong: Record<string, string[]> = {
    conf: ['2', '', 'x', '-0.1', 'NaN', 'Infinity', '0x1', '0b1', '1e', '.', '1,0'],
    iou: ['-1', ' '],
    max: ['0', '1.5', '1001', '1e2', '+3', '٣'],
    classes: ['', '1,zebra', ','],
    format: ['xml', 'JSON', ''],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const { code, message, expected } = refused(`${name}=${encodeURIComponent(value)}`);
      assert.is(code, 'bad_parameter');
      assert.match(message, name);
      assert.type(expected, 'string');
    }
  }
  for (const value of ['-1', '', 'x', '9'.repeat(16)]) assert.is(refused(`image_id=${value}`).code, 'bad_image_id');
});

test('a class that is not known, or may be two, is refused with what is meant', () => {
  assert.is(refused('classes=1,sqare').hint, 'Did you mean "square"?');
  assert.is(refused('classes=zebra').hint, undefined);
  const numbered = [
    { id: 1, name: '2' },
    { id: 2, name: 'star' },
    { id: 3, name: '3' },
    { id: 4, name: 'star' },
  ];
  const only = (classes: string) => readQuery(new URLSearchParams({ classes }), numbered).thresholds.classes;
  assert.equal(only('1'), [0]);
  assert.equal(only('3,star'), [2, 1, 3]);
  assert.throws(
    () => only('2'),
    (error: ApiError) => error.body.expected === 'one meaning: it is the id of star, and the name of 1',
  );
});

test('an unknown parameter is refused with the nearest known one', () => {
  assert.equal([refused('cnf=1').code, refused('cnf=1').hint], ['unknown_parameter', 'Did you mean "conf"?']);
  for (const name of ['__proto__', 'constructor', 'toString', 'CONF', '']) {
    assert.is(refused(`${name}=1`).code, 'unknown_parameter');
  }
});

test('a parameter given twice is refused: one of the two would be ignored', () => {
  assert.is(refused('conf=0.1&conf=0.1').code, 'bad_parameter');
  assert.equal(refused('max=1&conf=0.1&max=2').received, ['1', '2']);
});

test.run();
