import type { CommandModule } from 'yargs';
import { readDetections, readGroundTruth } from '../data/coco_eval/files.js';
import { evaluateCoco } from '../data/coco_eval/index.js';
import { summarize, summaryText } from '../data/coco_eval/summary.js';
import { jsonOption, printResult } from './shared.js';

interface Arguments {
  gt: string;
  dt: string;
  json: boolean;
}

export const cocoEvalCommand: CommandModule<object, Arguments> = {
  command: 'coco-eval',
  describe: "COCO's 12 box metrics and per-category figures of a detections file, as pycocotools gives them",
  builder: (yargs) =>
    jsonOption(yargs)
      .option('gt', { type: 'string', demandOption: true, describe: 'Ground truth: COCO instances JSON' })
      .option('dt', { type: 'string', demandOption: true, describe: 'Detections: COCO results JSON' })
      .example('$0 coco-eval --gt instances_val2017.json --dt detections.json', 'Print the figures')
      .example('$0 coco-eval --gt gt.json --dt dt.json --json', 'The same for a program'),
  handler: async ({ gt, dt, json }) => {
    const dataset = await readGroundTruth(gt);
    const summary = summarize(evaluateCoco(dataset, await readDetections(dt, dataset)));
    printResult(summary, summaryText(summary), { json });
  },
};
