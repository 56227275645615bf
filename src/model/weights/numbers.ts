import { UserError } from '../../base/errors.js';
import type { Weights } from './weights.js';

/**
 * Refuses weights with NaN, infinity or negative variances, with which a network silently finds nothing.
 * @throws UserError naming `where`, the first such tensor, and how many there are
 */
export function assertNumbers(weights: Weights, where: string): void {
  const bad = [...weights].flatMap(([name, { data }]) => {
    const faults = faultsOf(name, data);
    return faults ? [{ name, faults, size: data.length }] : [];
  });
  if (bad.length === 0) return;
  const [{ name, faults, size }] = bad;
  const others = bad.length > 1 ? `; ${bad.length} tensors of ${weights.size} hold such values` : '';
  throw new UserError({
    where,
    field: `tensor ${name}`,
    expected: name.endsWith('.running_var') ? 'finite numbers that are not below 0' : 'finite numbers',
    received: `${faults} of ${size} values${others}`,
    hint: 'The training that wrote them diverged, or the file is damaged: take an earlier checkpoint.',
  });
}

/** Describes invalid values: `3 NaN and 1 infinite`; undefined if there are none. */
function faultsOf(name: string, data: Float32Array): string | undefined {
  let [unknown, infinite, negative] = [0, 0, 0];
  const isVariance = name.endsWith('.running_var');
  for (const value of data) {
    if (Number.isNaN(value)) unknown++;
    else if (!Number.isFinite(value)) infinite++;
    else if (isVariance && value < 0) negative++;
  }
  const counts = [
    ...(unknown > 0 ? [`${unknown} NaN`] : []),
    ...(infinite > 0 ? [`${infinite} infinite`] : []),
    ...(negative > 0 ? [`${negative} negative`] : []),
  ];
  return counts.length > 0 ? counts.join(' and ') : undefined;
}
