import { UserError } from '../../src/base/errors.js';
import { compareAnswers } from '../../src/pipeline/service_test/compare_answers.js';
import { ask, type RunningServer } from './servers.js';

/** Objects this sure are above every threshold, however a decoder rounds. */
const SURE = 0.4;

/** How alike two answers' objects are: JPEG decoders and resizing differ by grey levels. */
const TOLERANCE = { minIou: 0.85, scoreTolerance: 0.1 };

/** Share of sure objects that both must find, for their figures to be comparable. */
const LEAST_SHARE = 0.95;

/**
 * Whether two servers see the same in the same images: the share of either's sure objects that the other has too.
 * @throws UserError when they do not
 */
export async function checkSameAnswers(
  first: RunningServer,
  second: RunningServer,
  images: readonly string[],
): Promise<{ objects: number; share: number }> {
  let objects = 0;
  let found = 0;
  for (const image of images) {
    const [a, b] = await Promise.all([first, second].map((server) => ask(server, image)));
    for (const [one, other] of [
      [a, b],
      [b, a],
    ]) {
      const sure = one.annotations.filter(({ score }) => score >= SURE);
      objects += sure.length;
      found += compareAnswers(sure, other.annotations, TOLERANCE).matched;
    }
  }
  const share = objects === 0 ? 1 : found / objects;
  if (share < LEAST_SHARE) {
    throw new UserError({
      where: `${first.name} and ${second.name}`,
      expected: `the same objects in at least ${100 * LEAST_SHARE} % of cases`,
      received: `${(100 * share).toFixed(1)} % of ${objects}`,
    });
  }
  return { objects, share };
}
