import { foldBatchNorm } from './fold.js';
import { elements, type Weights } from './weights.js';

const STEM = 'backbone.backbone.stem.conv';

/**
 * Limit for the largest norm of a stem filter, with batch norm folded: above it, inputs have unit variance; below it,
 * they are grey levels 0–255. A filter must give outputs of about unit variance, so both kinds differ by the spread of
 * grey levels, about 60: YOLOX-nano has 15.6 in release 0.1.0 and 0.26 since 0.1.1.
 */
const LEGACY_NORM = 2;
const CURRENT_NORM = 0.5;

/** Whether weights need the preprocessing from before YOLOX 0.1.1 (RGB, ImageNet statistics); null if unknown. */
export function guessLegacy(weights: Weights): boolean | null {
  const complete = ['conv.weight', 'bn.weight', 'bn.bias', 'bn.running_mean', 'bn.running_var'];
  if (!complete.every((part) => weights.has(`${STEM}.${part}`))) return null;
  const { shape, data } = foldBatchNorm(weights, STEM).weight;
  const length = elements(shape.slice(1));
  const norms = Array.from({ length: shape[0] }, (_, i) => Math.hypot(...data.subarray(i * length, (i + 1) * length)));
  const largest = Math.max(...norms);
  if (largest > LEGACY_NORM) return true;
  return largest < CURRENT_NORM ? false : null;
}
