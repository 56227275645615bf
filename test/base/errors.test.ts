import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { describeValue, didYouMean, UserError } from '../../src/base/errors.js';

const test = suite('errors for people');

test('a problem reads: place, field, expected, received, remedy', () => {
  const error = new UserError({
    where: 'a.yaml',
    field: 'train.lr',
    expected: 'a number',
    received: 'x',
    hint: 'Fix it.',
  });
  assert.is(error.message, 'a.yaml: train.lr: expected a number, received "x". Fix it.');
  assert.is(new UserError({ expected: 'a port' }).message, 'expected a port.');
});

test('a long value is cut, a reason never', () => {
  const long = 'word '.repeat(100).trim();
  const { message } = new UserError({ expected: 'x', received: long, reason: `${long}\n  and more.`, hint: 'Do it.' });
  assert.ok(message.endsWith(`${long} and more. Do it.`), message);
  assert.match(message, /received "(word ){20,23}.{0,5}…": word/);
});

test('values are shown short, whatever they are', () => {
  const circle: { self?: object } = {};
  circle.self = circle;
  assert.is(describeValue([1, null]), '[1,null]');
  assert.is(describeValue(Number.NaN), 'NaN');
  assert.is(describeValue(undefined), 'undefined');
  assert.is(typeof describeValue(circle), 'string');
  assert.ok(describeValue('x'.repeat(1000)).length <= 120);
});

test('a near word is suggested, a far one gets the list', () => {
  assert.is(didYouMean('epoch', ['epochs', 'batch']), 'Did you mean "epochs"?');
  assert.is(didYouMean('zzzzzz', ['epochs', 'batch']), 'Known: epochs, batch.');
  assert.is(didYouMean('x', []), '');
  assert.is(didYouMean('EPOCHS', ['batch', 'epochs']), 'Did you mean "epochs"?');
  assert.is(didYouMean('lr', ['train.batch', 'train.optimizer.lr']), 'Did you mean "train.optimizer.lr"?');
  assert.is(didYouMean('trian', ['run', 'model-train', 'model-test']), 'Did you mean "model-train"?');
  assert.is(didYouMean('q', ['a', 'b']), 'Known: a, b.');
});

test.run();
