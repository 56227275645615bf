import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { didYouMean, messageOf, UserError } from './base/errors.js';
import { cocoEvalCommand } from './cli/coco_eval.js';
import { FLAGS } from './cli/config_options.js';

import { doctorCommand } from './cli/doctor.js';
import { exportOnnxCommand } from './cli/export_onnx.js';
import { importWeightsCommand } from './cli/import_weights.js';
import { loadTestCommand } from './cli/load_test.js';
import { modelEvalCommand } from './cli/model_eval.js';
import { packCommand } from './cli/pack.js';
import { predictCommand } from './cli/predict.js';
import { runCommand, stepCommands } from './cli/run.js';
import { serveCommand } from './cli/serve.js';
import { tuneCommand } from './cli/tune.js';

/** Exit codes: a missed gate is 1; bad input or use 2; our own faults 70, sysexits' EX_SOFTWARE. */
const BAD_INPUT = 2;
const OUR_FAULT = 70;

const commands = [
  runCommand,
  ...stepCommands,
  modelEvalCommand,
  packCommand,
  serveCommand,
  tuneCommand,
  predictCommand,
  importWeightsCommand,
  exportOnnxCommand,
  cocoEvalCommand,
  loadTestCommand,
  doctorCommand,
];

/** Wrong use of the command line. */
class UsageError extends Error {
  override name = 'UsageError';
}

const parser = yargs(hideBin(process.argv))
  .scriptName('yolox')
  .usage('$0 <command>\n\nTrains, packs, serves and tests YOLOX object detectors.')
  .option('trace', { type: 'boolean', default: false, global: true, describe: 'Show stack traces of errors' })
  .epilogue('`yolox setup [--cuda|--cpu]` provides TensorFlow; `yolox doctor` tells what is installed.')
  .demandCommand(1, 'Name a command; `yolox --help` lists them.')
  .recommendCommands()
  .strict()
  .wrap(Math.min(110, process.stdout.columns ?? 110))
  .parserConfiguration({ 'dot-notation': false })
  .exitProcess(false)
  .fail((message, error) => {
    // A failed check arrives as its text in place of an error.
    throw error instanceof Error ? error : new UsageError(`${message}${suggestion(message)}`);
  });
for (const command of commands) parser.command(command as never);

/** For an unknown flag: the one that was probably meant. */
function suggestion(message: string): string {
  const unknown = /^Unknown arguments?: ([^,]+)/.exec(message)?.[1];
  if (unknown === undefined) return '';
  const hint = didYouMean(unknown, FLAGS);
  return hint.startsWith('Did') ? `. ${hint}` : '. `yolox <command> --help` lists the flags.';
}

try {
  await parser.parseAsync();
} catch (error) {
  const known = error instanceof UserError || error instanceof UsageError;
  process.stderr.write(`yolox: ${messageOf(error)}\n`);
  if (process.argv.includes('--trace')) process.stderr.write(`${(error as Error).stack}\n`);
  else if (!known) process.stderr.write('This is a fault of yolox-node; run again with --trace for its stack trace.\n');
  process.exitCode = known ? BAD_INPUT : OUR_FAULT;
}
