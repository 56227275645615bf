import { hideBin } from 'yargs/helpers';
import { exitOnSignals, exitWithReader } from './base/ending.js';
import { closeProgress } from './base/progress.js';
import type { Command } from './cli/command.js';
import { reportFailure } from './cli/failure.js';
import { runCommandLine } from './cli/parser.js';

/** Commands in the order of the help, by module: only that of the command asked for is loaded, so that a server is lean. */
const MODULES: [commands: string[], load: () => Promise<Command[]>][] = [
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

const argv = hideBin(process.argv);
exitOnSignals();
exitWithReader();
// Rejections that nothing handles come here, too.
process.on('uncaughtException', fail);

try {
  const named = MODULES.filter(([commands]) => commands.includes(argv[0]));
  const commands = await Promise.all((named.length > 0 ? named : MODULES).map(([, load]) => load()));
  await runCommandLine(argv, commands.flat());
} catch (error) {
  fail(error);
}

/** Says what went wrong and ends the process with all it has started: the first error wins. */
function fail(error: unknown): never {
  closeProgress();
  process.exit(reportFailure(error, argv));
}
