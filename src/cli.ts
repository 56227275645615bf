import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { messageOf, UserError } from './base/errors.js';
import { cocoEvalCommand } from './cli/coco_eval.js';
import { doctorCommand } from './cli/doctor.js';
import { exportOnnxCommand } from './cli/export_onnx.js';
import { importWeightsCommand } from './cli/import_weights.js';
import { modelEvalCommand } from './cli/model_eval.js';
import { predictCommand } from './cli/predict.js';
import { runCommand, stepCommands } from './cli/run.js';
import { serveCommand } from './cli/serve.js';

/** Exit codes: a missed gate is 1; bad input or use 2; our own faults 70, sysexits' EX_SOFTWARE. */
const BAD_INPUT = 2;
const OUR_FAULT = 70;

const commands = [
  runCommand,
  ...stepCommands,
  modelEvalCommand,
  serveCommand,
  predictCommand,
  importWeightsCommand,
  exportOnnxCommand,
  cocoEvalCommand,
  doctorCommand,
];

const parser = yargs(hideBin(process.argv))
  .scriptName('yolox')
  .usage('$0 <command>\n\nTrains, packs, serves and tests YOLOX object detectors.')
  .option('trace', { type: 'boolean', default: false, global: true, describe: 'Show stack traces of errors' })
  .demandCommand(1, 'Name a command.')
  .recommendCommands()
  .strict()
  .wrap(Math.min(110, process.stdout.columns ?? 110))
  .exitProcess(false)
  .fail(false);
for (const command of commands) parser.command(command as never);

try {
  await parser.parseAsync();
} catch (error) {
  const known = error instanceof UserError || (error as Error)?.name === 'YError';
  process.stderr.write(`yolox: ${messageOf(error)}\n`);
  if (process.argv.includes('--trace')) process.stderr.write(`${(error as Error).stack}\n`);
  else if (!known) process.stderr.write('This is a fault of yolox-node; run again with --trace for its stack trace.\n');
  process.exitCode = known ? BAD_INPUT : OUR_FAULT;
}
