import { hideBin } from 'yargs/helpers';
import { exitOnSignals, exitWithReader } from '../base/ending.js';
import { closeProgress } from '../base/progress.js';
import { commandsFor } from './commands/index.js';
import { reportFailure } from './failure.js';
import { runCommandLine } from './parser.js';

const argv = hideBin(process.argv);
exitOnSignals();
exitWithReader();
// This also catches unhandled rejections.
process.on('uncaughtException', fail);

try {
  await runCommandLine(argv, await commandsFor(argv));
} catch (error) {
  fail(error);
}

/** Reports the error and exits, ending everything this process has started. The first error wins. */
function fail(error: unknown): never {
  closeProgress();
  process.exit(reportFailure(error, argv));
}
