// Starts a server on the bundle named by its argument, prints its process number, and waits until it is ended
// (child.test.ts).
import { exitOnSignals } from '../../../src/base/ending.js';
import { withServer } from '../../../src/pipeline/service_test/child.js';

exitOnSignals();
await withServer([process.argv[2], '--port', '0'], ({ pid }) => {
  console.log(pid);
  return new Promise(() => setInterval(() => {}, 60_000));
});
