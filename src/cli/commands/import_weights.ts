import { basename } from 'node:path';
import { refuseOtherEnding, refuseReplacing } from '../../base/outputs.js';
import { text } from '../../config/schema.js';
import { usualClasses } from '../../detect/categories.js';
import { describeArchitecture } from '../../model/weights/architecture.js';
import { type CheckpointInfo, checkpointMetadata } from '../../model/weights/checkpoint.js';
import { type OpenedNetwork, openNetwork } from '../../model/weights/open.js';
import { writeSafetensors } from '../../model/weights/safetensors.js';
import { defineCommand } from '../command.js';
import { printResult } from '../shared.js';
import { describeCheck, describeClasses, toOpenOptions, weightsOptions } from './weights_options.js';

interface ImportArgs {
  file: string;
  out: string;
  size?: [number, number];
  legacy?: boolean;
  classes?: string;
  json: boolean;
}

export const importWeightsCommand = defineCommand({
  command: 'import-weights <file>',
  describe: 'Convert YOLOX weights (.pth of Megvii or mmdetection, .onnx) to safetensors',
  options: {
    file: text.describe('Weights to convert'),
    out: text.describe('Output file, .safetensors'),
    ...weightsOptions,
  },
  examples: [
    ['import-weights yolox_s.pth --out yolox_s.safetensors', 'Convert published weights'],
    [
      'import-weights mine.pth --classes helmet,vest,boots --out mine.safetensors',
      'Convert your own weights and name their classes',
    ],
    ['import-weights old.pth --legacy --out old.safetensors', 'Convert weights from before YOLOX 0.1.1'],
  ],
  handler: importWeights,
});

async function importWeights(args: ImportArgs): Promise<void> {
  await refuseReplacing(args.out, [args.file]);
  refuseOtherEnding(args.out, '.safetensors', '`export-onnx` writes ONNX.');
  const network = await openNetwork(args.file, await toOpenOptions(args));
  const {
    weights,
    architecture,
    preprocess,
    categories,
    info,
    format,
    folded,
    legacy,
    sha256,
    report,
    check,
    notices,
  } = network;
  const converted: CheckpointInfo = {
    ...info,
    architecture,
    preprocess,
    categories: categories ?? usualClasses(architecture.classes),
    source: info?.source ?? `${basename(args.file)} sha256:${sha256}`,
  };
  await writeSafetensors(args.out, weights, { ...checkpointMetadata(converted), folded: String(folded) });
  const { loaded, missing, unexpected, mismatched } = report;
  const result = {
    out: args.out,
    format,
    architecture,
    folded,
    legacy,
    preprocess,
    sha256,
    loaded,
    missing,
    unexpected,
    mismatched,
    notices,
    ...(check && { check }),
  };
  printResult(result, describe(args, network, converted), args);
}

function describe(args: ImportArgs, network: OpenedNetwork, { categories }: CheckpointInfo): string {
  const { architecture, format, folded, legacy, preprocess, report, check } = network;
  const guessed = categories && !network.categories ? ": COCO's, as the weights name none" : '';
  const colours = legacy ? 'legacy: RGB, ImageNet statistics' : 'current: BGR, 0 to 255';
  return [
    `written        ${args.out}`,
    `architecture   ${describeArchitecture(architecture)}`,
    `classes        ${describeClasses(categories, architecture.classes)}${guessed}`,
    `format         ${format}${folded ? ', batch norms folded: training keeps them fixed' : ''}`,
    `preprocessing  ${colours} (${basisOf(args, network)}), input ${preprocess.size.join('×')}`,
    `tensors        ${report.loaded} taken over`,
    ...describeCheck(check),
    ...report.unexpected.map((name) => `unexpected     ${name}`),
  ].join('\n');
}

/** Says how the preprocessing was determined. */
function basisOf(args: ImportArgs, { info, legacy }: OpenedNetwork): string {
  if (args.legacy !== undefined) return 'as told';
  if (info) return 'as the file says';
  return legacy === null
    ? 'not told by the weights: --legacy for those before YOLOX 0.1.1'
    : 'guessed from the weights';
}
