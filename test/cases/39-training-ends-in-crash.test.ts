import * as assert from 'uvu/assert';
import { caseFile, caseSuite, inTempDir, yolox } from './helpers.js';

const test = caseSuite('39-training-ends-in-crash');
const images = caseFile('18-long-names', 'images');
const labels = caseFile('18-long-names', 'labels.json');

test('a loss that is no number ends with exit code 2 and one line that says what to do, every time', () =>
  inTempDir(async (dir) => {
    for (const workers of ['1', '2']) {
      const { code, stdout, stderr } = await yolox([
        'model-train',
        ...['--images', images, '--annotations', labels, '--store', `${dir}/${workers}`],
        ...['--epochs', '3', '--batch', '2', '--train.optimizer.lr', '1e9', '--train.workers', workers],
        ...['--model.width', '0.125', '--model.preprocess.size', '[96, 96]', '--force'],
      ]);
      const message = stderr.slice(stderr.indexOf('yolox-node: '));
      assert.is(code, 2);
      assert.is(stdout, '');
      assert.match(
        message,
        /^yolox-node: model-train: step \d+.*expected a finite loss.*Lower train\.optimizer\.lr.*\n$/,
      );
      assert.not.match(stderr, /Piscina|Unexpected message|^\s+at /m);
    }
  }));

test.run();
