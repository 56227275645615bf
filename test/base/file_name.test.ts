import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fileName } from '../../src/base/file_name.js';

const test = suite('file_name');

test('a name that fits stays as it is; a longer one is cut to 255 bytes and keeps its ending', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), fc.constantFrom('.jpg', '-12.jpg'), (stem, ending) => {
      const name = fileName(stem, ending);
      assert.ok(Buffer.byteLength(name) <= 255);
      assert.ok(name.endsWith(ending));
      if (Buffer.byteLength(stem + ending) <= 255) assert.is(name, stem + ending);
    }),
  );
});

test('names that differ stay different, and are the same each time', () => {
  const names = ['a', 'b'].map((last) => fileName('é'.repeat(200) + last, '.jpg'));
  assert.is.not(names[0], names[1]);
  assert.is(names[0], fileName(`${'é'.repeat(200)}a`, '.jpg'));
  assert.not.match(names[0], '\uFFFD');
});

test.run();
