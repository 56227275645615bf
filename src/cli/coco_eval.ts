import type { CommandModule } from 'yargs';
import { UserError } from '../base/errors.js';
import { log } from '../base/progress.js';
import { evaluateFiles } from '../data/coco_eval/evaluate_files.js';
import { describeNotice } from '../data/coco_eval/notices.js';
import { summaryText } from '../data/coco_eval/summary.js';
import { jsonOption, printResult } from './shared.js';

interface Arguments {
  gt: string;
  dt: string;
  strict: boolean;
  json: boolean;
}

export const cocoEvalCommand: CommandModule<object, Arguments> = {
  command: 'coco-eval',
  describe: "COCO's 12 box metrics and per-category figures of a detections file, as pycocotools gives them",
  builder: (yargs) =>
    jsonOption(yargs)
      .option('gt', { type: 'string', demandOption: true, describe: 'Ground truth: COCO instances JSON' })
      .option('dt', { type: 'string', demandOption: true, describe: 'Detections: COCO results JSON' })
      .option('strict', {
        type: 'boolean',
        default: false,
        describe: 'Refuse files of which anything is left out of the figures',
      })
      .example('$0 coco-eval --gt instances_val2017.json --dt detections.json', 'Print the figures')
      .example('$0 coco-eval --gt gt.json --dt dt.json --json', 'The same for a program'),
  handler: async ({ gt, dt, strict, json }) => {
    const evaluation = await evaluateFiles(gt, dt);
    for (const notice of evaluation.notices) log(`coco-eval: ${describeNotice(notice)}`);
    if (strict && evaluation.notices.length > 0) {
      throw new UserError({
        where: dt,
        expected: 'all of both files to count (--strict)',
        received: evaluation.notices.map(({ count, kind }) => `${count} ${kind}`).join(', '),
      });
    }
    printResult(evaluation, summaryText(evaluation), { json });
  },
};
