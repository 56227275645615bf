import { z } from 'zod';
import { UserError } from '../../base/errors.js';
import { log } from '../../base/progress.js';
import { text } from '../../config/schema.js';
import { evaluateFiles } from '../../data/coco_eval/evaluate_files.js';
import { describeNotice } from '../../data/coco_eval/notices.js';
import { summaryText } from '../../data/coco_eval/summary.js';
import { defineCommand } from '../command.js';
import { printResult } from '../shared.js';

export const cocoEvalCommand = defineCommand({
  command: 'coco-eval',
  describe: "Compute COCO's 12 box metrics and per-category figures, equal to those of pycocotools",
  options: {
    gt: text.describe('Ground truth: COCO instances JSON'),
    dt: text.describe('Detections: COCO results JSON'),
    strict: z.boolean().default(false).describe('Fail if anything in either file does not count'),
  },
  examples: [
    ['coco-eval --gt instances_val2017.json --dt detections.json', 'Print the figures'],
    ['coco-eval --gt gt.json --dt dt.json --json', 'Print them as JSON'],
  ],
  async handler({ gt, dt, strict, json }) {
    const evaluation = await evaluateFiles(gt, dt);
    for (const notice of evaluation.notices) log(`coco-eval: ${describeNotice(notice)}`);
    if (strict && evaluation.notices.length > 0) {
      throw new UserError({
        where: dt,
        expected: 'every entry of both files to count (--strict)',
        received: evaluation.notices.map(({ count, kind }) => `${count} ${kind}`).join(', '),
      });
    }
    printResult(evaluation, summaryText(evaluation), { json });
  },
});
