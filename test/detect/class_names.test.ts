import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { readClassNames } from '../../src/detect/class_names.js';

let dir: string;
const test = suite('names of classes');
test.before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'class-names-'));
});
test.after(() => rm(dir, { recursive: true }));

async function fromFile(name: string, content: unknown): Promise<{ id: number; name: string }[]> {
  const path = join(dir, name);
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return readClassNames(path);
}

const numbered = (...names: string[]) => names.map((name, i) => ({ id: i + 1, name }));

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => assert.unreachable('it was taken'),
    (thrown: unknown) => thrown,
  );
  assert.instance(error, UserError);
  return (error as UserError).message;
}

test('names with commas between them, digits too', async () => {
  assert.equal(await readClassNames('helmet, traffic light,300'), numbered('helmet', 'traffic light', '300'));
  assert.equal(await readClassNames('helmet'), numbered('helmet'));
});

const FILES: [name: string, content: unknown][] = [
  ['a.txt', 'helmet\r\ntraffic light\n\n300\n'],
  ['coco.names', '\uFEFFhelmet\ntraffic light\n300'],
  ['mac.txt', 'helmet\rtraffic light\r300\r'],
  ['numbered.txt', '0 helmet\n1 traffic light\n2 300\n'],
  ['from-one.txt', '1: helmet\n2: traffic light\n3: 300\n'],
  ['no-ending', 'helmet\ntraffic light\n300\n'],
  ['list.json', ['helmet', 'traffic light', '300']],
  ['numbers.json', ['helmet', 'traffic light', 300]],
  ['labels.json', { 0: 'helmet', 1: 'traffic light', 2: '300' }],
  ['config.json', { id2label: { 2: '300', 0: 'helmet', 1: 'traffic light' } }],
  ['list.yaml', '- helmet\n- traffic light\n- 300\n'],
  ['data.yaml', 'path: ../x\nnc: 3\nnames: [helmet, traffic light, 300]\n'],
  ['indexed.yml', 'names:\n  0: helmet\n  1: traffic light\n  2: 300\n'],
  ['classes.yml', 'classes: [helmet, traffic light, 300]\n'],
];

for (const [name, content] of FILES) {
  test(`a file ${name}`, async () => {
    assert.equal(await fromFile(name, content), numbered('helmet', 'traffic light', '300'));
  });
}

test("COCO's categories count by ascending id and keep their ids", async () => {
  const categories = [
    { id: 7, name: 'vest', supercategory: 'safety' },
    { id: 2, name: 'helmet' },
  ];
  const expected = [categories[1], categories[0]];
  assert.equal(await fromFile('instances.json', { images: [], annotations: [], categories }), expected);
  assert.equal(await fromFile('categories.json', categories), expected);
});

test('names of one line each come back whatever they are, in their order', async () => {
  const name = fc
    .string({ minLength: 1, maxLength: 12 })
    .map((text) => text.trim())
    .filter((text) => /^\w/.test(text));
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(name, { minLength: 1, maxLength: 6 }), async (names) => {
      assert.equal(await fromFile('any.txt', `${names.join('\n')}\n`), numbered(...names));
    }),
    { numRuns: 50 },
  );
});

test('what is no list of names is refused', async () => {
  assert.match(
    await refusal(readClassNames('none.txt')),
    /--classes: expected names .* or an existing file, received "none\.txt"/,
  );
  assert.match(await refusal(readClassNames('a,,b')), /names that are not empty, received "none for class 1"/);
  assert.match(await refusal(readClassNames('a,b,a')), /different names, received "a twice"/);
  assert.match(await refusal(fromFile('zero.txt', 'a\0b\nc\n')), /names without tabs and control characters/);
  assert.match(await refusal(fromFile('empty.txt', '\n')), /at least one name/);
  assert.match(await refusal(fromFile('broken.json', '["a"')), /broken\.json: expected valid JSON/);
  assert.match(await refusal(fromFile('other.json', { version: 1 })), /other\.json: expected names of classes: a list/);
  assert.match(await refusal(fromFile('holes.json', { names: { 0: 'a', 2: 'b' } })), /expected names of classes/);
  assert.match(
    await refusal(
      fromFile('ids.json', {
        categories: [
          { id: 1, name: 'a' },
          { id: 1, name: 'b' },
        ],
      }),
    ),
    /different ids/,
  );
});

test.run();
