import { median } from '../base/math.js';
import type { MemoryGrowth, ProcessUse } from './result.js';

/** Fewest samples for a meaningful slope. */
const FEWEST = 10;

/**
 * Growth of memory over the measured time, by the Theil–Sen line: the median of the slopes between all pairs of
 * samples. A quarter of the samples may be outliers (collections, bursts) without moving it far. Undefined for too few
 * samples.
 */
export function memoryGrowth({ samples }: ProcessUse): MemoryGrowth | undefined {
  if (samples.length < FEWEST) return undefined;
  const slopes = samples.flatMap((a, i) => samples.slice(i + 1).map((b) => (b.rss_mb - a.rss_mb) / (b.at_s - a.at_s)));
  const slope = median(slopes);
  const offset = median(samples.map(({ at_s, rss_mb }) => rss_mb - slope * at_s));
  const [first, last] = [samples[0].at_s, samples[samples.length - 1].at_s];
  const [start_mb, end_mb] = [first, last].map((at) => offset + slope * at);
  return { share: end_mb / start_mb - 1, mb_per_hour: slope * 3600, start_s: first, start_mb, end_s: last, end_mb };
}
