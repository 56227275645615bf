import { type EvaluationSummary, formatFigure } from '../../data/coco_eval/summary.js';

/** A lower bound for AP at IoU .5, and whether an evaluation passes it. */
export interface Gate {
  minMap50: number | null;
  passed: boolean;
}

/** A gate on a missing figure is missed, because nothing shows that the model is good enough. */
export function applyGate({ map50 }: EvaluationSummary, minMap50: number | null): Gate {
  return { minMap50, passed: minMap50 === null || (map50 !== null && map50 >= minMap50) };
}

/** Describes the gate in a sentence; empty without a gate. */
export function describeGate({ minMap50, passed }: Gate, { map50 }: EvaluationSummary): string[] {
  if (minMap50 === null) return [];
  const why = map50 === null ? 'missed, as there is no object to find' : passed ? 'passed' : 'missed';
  return [`Gate AP50 ≥ ${minMap50}: ${why} (AP50 ${formatFigure(map50, 4)}).`];
}
