// Bars in bars and lines between them, for progress.test.ts; ends as its argument says.
import { setImmediate } from 'node:timers/promises';
import { exitOnSignals } from '../../src/base/ending.js';
import { log, startProgress } from '../../src/base/progress.js';

exitOnSignals();
const outer = startProgress('train', 3);
for (let epoch = 1; epoch <= 3; epoch++) {
  outer.update(epoch, `loss ${'9'.repeat(50)} longer than the terminal is wide`);
  const inner = startProgress('evaluate', 2);
  inner.update(1, 'fast');
  log(`epoch ${epoch}: begun`);
  await setImmediate();
  inner.update(2);
  inner.stop();
  log(`epoch ${epoch}: a line ${'longer '.repeat(8)}than the terminal`);
}
const [ending] = process.argv.slice(2);
if (ending === 'wait') {
  log('ready');
  setInterval(() => outer.update(3), 50);
} else if (ending === 'throw') throw new Error('planted');
else {
  outer.stop();
  log('after');
}
