import { hideBin } from 'yargs/helpers';
import { exitOnSignals, exitWithReader } from '../base/ending.js';
import { closeProgress } from '../base/progress.js';
import { commandsFor } from './commands/index.js';
import { reportFailure } from './failure.js';
import { runCommandLine } from './parser.js';

const argv = hideBin(process.argv);
exitOnSignals();
exitWithReader();
// Rejections that nothing handles come here, too.
process.on('uncaughtException', fail);

try {
  await runCommandLine(argv, await commandsFor(argv));
} catch (error) {
  fail(error);
}

/** Says what went wrong and ends the process with all it has started: the first error wins. */
function fail(error: unknown): never {
  closeProgress();
  process.exit(reportFailure(error, argv));
}
