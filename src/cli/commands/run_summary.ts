import type { Config } from '../../config/schema.js';
import type { Figure } from '../../data/coco_eval/accumulate.js';
import { formatFigure } from '../../data/coco_eval/summary.js';
import type { Outputs } from '../../pipeline/outputs.js';

/** What `run --json` prints. */
export function summarizeRun(outputs: Outputs, seconds: number) {
  const evaluation = outputs['model-eval'];
  const test = outputs['model-test'];
  const { map, before } = evaluation;
  const known = before !== null && before.map !== null && map !== null;
  return {
    map50: evaluation.map50,
    map,
    before,
    /** Whether fine-tuning made the initial weights worse; null when training from scratch. */
    worse: known ? map < (before.map as number) : null,
    images_per_second: outputs['model-train'].images_per_second,
    p50_ms: test.p50_ms,
    p99_ms: test.p99_ms,
    test_passed: test.failures.length === 0,
    report: evaluation.report,
    bundle: outputs['model-pack'].bundle,
    seconds,
  };
}

const WORSE = `
  WORSE than the initial weights: lower train.optimizer.lr, train longer, or look at the errors in the evaluation report`;

const NOT_PASSED = `
  model-test     FAILED: see the failures above and in its result.txt`;

/** What `run` prints for people. */
export function runSummaryText(outputs: Outputs, summary: ReturnType<typeof summarizeRun>, config: Config): string {
  const { gate, before, images, annotated } = outputs['model-eval'];
  const { throughput, p90_ms } = outputs['model-test'];
  const { connections } = config.test;
  const gateText = gate.minMap50 === null ? '' : `  gate ≥ ${gate.minMap50}: ${gate.passed ? 'passed' : 'MISSED'}`;
  const was = (figure: Figure | undefined) =>
    figure === undefined ? '' : `, ${formatFigure(figure, 4)} ${before?.label}`;
  return `
  mAP            ${formatFigure(summary.map, 4)}  (IoU .50:.95, ${images} test images${was(before?.map)})
  mAP@.5         ${formatFigure(summary.map50, 4)}${was(before?.map50)}${gateText}${summary.worse ? WORSE : ''}
  training       ${summary.images_per_second.toFixed(1)} images/s
  service        ${throughput.toFixed(1)} requests/s with ${connections} client${connections === 1 ? '' : 's'}; p50 ${summary.p50_ms} ms, p90 ${p90_ms} ms, p99 ${summary.p99_ms} ms${summary.test_passed ? '' : NOT_PASSED}
  data report    ${outputs['data-prep'].report}
  training       ${outputs['model-train'].report}
  evaluation     ${summary.report}
  images         ${annotated}
  total time     ${summary.seconds} s

  Serve it:      npx yolox-node serve ${summary.bundle}
`;
}
