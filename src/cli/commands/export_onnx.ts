import { basename, extname } from 'node:path';
import { sha256, writeAtomic } from '../../base/files.js';
import { refuseOtherEnding, refuseReplacing } from '../../base/outputs.js';
import { text } from '../../config/schema.js';
import { exportOnnx } from '../../model/onnx/export.js';
import { describeArchitecture } from '../../model/weights/architecture.js';
import { openNetwork } from '../../model/weights/open.js';
import { defineCommand } from '../command.js';
import { printResult } from '../shared.js';
import { describeCheck, describeClasses, toOpenOptions, weightsOptions } from './weights_options.js';

interface ExportArgs {
  weights: string;
  out: string;
  size?: [number, number];
  legacy?: boolean;
  classes?: string;
  json: boolean;
}

export const exportOnnxCommand = defineCommand({
  command: 'export-onnx',
  describe: 'Export weights as an ONNX model that outputs decoded boxes',
  options: {
    weights: text.describe('Weights: .safetensors, .pth or .onnx'),
    out: text.describe('Output file, .onnx'),
    ...weightsOptions,
  },
  examples: [
    ['export-onnx --weights best.safetensors --out best.onnx', 'Use the input size of training'],
    ['export-onnx --weights yolox_s.pth --size 480 640 --out yolox_s.onnx', 'Use another input size, for wide images'],
  ],
  handler: exportCommand,
});

async function exportCommand(args: ExportArgs): Promise<void> {
  await refuseReplacing(args.out, [args.weights]);
  refuseOtherEnding(args.out, '.onnx', '`import-weights` writes safetensors.');
  const { weights, architecture, preprocess, categories, info, check } = await openNetwork(
    args.weights,
    await toOpenOptions(args),
  );
  const model = exportOnnx(weights, architecture, preprocess, {
    name: basename(args.out, extname(args.out)),
    categories,
    source: info?.source ?? basename(args.weights),
  });
  await writeAtomic(args.out, model);
  const result = { out: args.out, architecture, preprocess, bytes: model.length, sha256: sha256(model) };
  const lines = [
    `written        ${args.out} (${(model.length / 1e6).toFixed(1)} MB)`,
    `architecture   ${describeArchitecture(architecture)}`,
    `input          images [batch,3,${preprocess.size.join(',')}], ${preprocess.color.toUpperCase()}`,
    `output         output [batch,anchors,${5 + architecture.classes}]: cx, cy, w, h in pixels, objectness, classes`,
    `classes        ${describeClasses(categories, architecture.classes)}`,
    ...describeCheck(check),
  ].join('\n');
  printResult(result, lines, args);
}
