import yargs, { type CommandModule } from 'yargs';
import { hideBin } from 'yargs/helpers';
import { exitOnSignals } from './base/ending.js';
import { didYouMean, messageOf, UserError } from './base/errors.js';
import { explainFileError } from './base/file_errors.js';
import { closeProgress } from './base/progress.js';
import { FLAGS } from './cli/config_options.js';

/** Exit codes: a missed gate is 1; bad input or use 2; our own faults 70, sysexits' EX_SOFTWARE. */
const BAD_INPUT = 2;
const OUR_FAULT = 70;

/** Commands in the order of the help, by module: only that of the command asked for is loaded, so that a server is lean. */
const MODULES: [commands: string[], load: () => Promise<unknown[]>][] = [
  [
    ['run', 'data-load', 'data-prep', 'model-train', 'model-pack', 'model-test'],
    () => import('./cli/run.js').then(({ runCommand, stepCommands }) => [runCommand, ...stepCommands]),
  ],
  [['model-eval'], () => import('./cli/model_eval.js').then(({ modelEvalCommand }) => [modelEvalCommand])],
  [['pack'], () => import('./cli/pack.js').then(({ packCommand }) => [packCommand])],
  [['serve'], () => import('./cli/serve.js').then(({ serveCommand }) => [serveCommand])],
  [['tune'], () => import('./cli/tune.js').then(({ tuneCommand }) => [tuneCommand])],
  [['predict'], () => import('./cli/predict.js').then(({ predictCommand }) => [predictCommand])],
  [['import-weights'], () => import('./cli/import_weights.js').then((module) => [module.importWeightsCommand])],
  [['export-onnx'], () => import('./cli/export_onnx.js').then(({ exportOnnxCommand }) => [exportOnnxCommand])],
  [['coco-eval'], () => import('./cli/coco_eval.js').then(({ cocoEvalCommand }) => [cocoEvalCommand])],
  [['load-test'], () => import('./cli/load_test.js').then(({ loadTestCommand }) => [loadTestCommand])],
  [['doctor'], () => import('./cli/doctor.js').then(({ doctorCommand }) => [doctorCommand])],
];

/** Wrong use of the command line. */
class UsageError extends Error {
  override name = 'UsageError';
}

exitOnSignals();
// Rejections that nothing handles come here, too.
process.on('uncaughtException', fail);

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
const [asked] = hideBin(process.argv);
const named = MODULES.filter(([commands]) => commands.includes(asked));
for (const [, load] of named.length > 0 ? named : MODULES) {
  for (const command of await load()) parser.command(command as CommandModule);
}

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
  fail(error);
}

/** Says what went wrong and ends the process with all it has started: the first error wins. */
function fail(thrown: unknown): never {
  closeProgress();
  const error = explainFileError(thrown);
  const known = error instanceof UserError || error instanceof UsageError;
  process.stderr.write(`yolox: ${messageOf(error)}\n`);
  if (process.argv.includes('--trace')) process.stderr.write(`${(error as Error).stack}\n`);
  else if (!known) process.stderr.write('This is a fault of yolox-node; run again with --trace for its stack trace.\n');
  process.exit(known ? BAD_INPUT : OUR_FAULT);
}
