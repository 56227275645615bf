import type { Command } from '../command.js';

/** Commands in help order, by module. Only the module of the requested command is loaded, which keeps servers small. */
const MODULES: [commands: string[], load: () => Promise<Command[]>][] = [
  [
    ['run', 'data-load', 'data-prep', 'model-train', 'model-pack', 'model-test'],
    () => import('./run.js').then(({ runCommand, stepCommands }) => [runCommand, ...stepCommands]),
  ],
  [['model-eval'], () => import('./model_eval.js').then(({ modelEvalCommand }) => [modelEvalCommand])],
  [['pack'], () => import('./pack.js').then(({ packCommand }) => [packCommand])],
  [['serve'], () => import('./serve.js').then(({ serveCommand }) => [serveCommand])],
  [['tune'], () => import('./tune.js').then(({ tuneCommand }) => [tuneCommand])],
  [['predict'], () => import('./predict.js').then(({ predictCommand }) => [predictCommand])],
  [['import-weights'], () => import('./import_weights.js').then((module) => [module.importWeightsCommand])],
  [['export-onnx'], () => import('./export_onnx.js').then(({ exportOnnxCommand }) => [exportOnnxCommand])],
  [['coco-eval'], () => import('./coco_eval.js').then(({ cocoEvalCommand }) => [cocoEvalCommand])],
  [['load-test'], () => import('./load_test.js').then(({ loadTestCommand }) => [loadTestCommand])],
  [['doctor'], () => import('./doctor.js').then(({ doctorCommand }) => [doctorCommand])],
];

/** The commands a command line may refer to: the one it names, else all. */
export async function commandsFor(argv: readonly string[]): Promise<Command[]> {
  const named = MODULES.filter(([commands]) => commands.includes(argv[0]));
  const commands = await Promise.all((named.length > 0 ? named : MODULES).map(([, load]) => load()));
  return commands.flat();
}
