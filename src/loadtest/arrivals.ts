import { Random } from '../base/random.js';

/** `constant`: evenly spaced; `poisson`: independent of each other, like requests from many users. */
export type Arrivals = 'constant' | 'poisson';

/** Arrival times in [0, `seconds`), in milliseconds, at `rate` per second; the same `seed` gives the same times. */
export function* arrivalTimes(arrivals: Arrivals, rate: number, seconds: number, seed: number): Generator<number> {
  const random = new Random(seed, 'arrivals');
  let at = 0;
  for (let index = 0; ; index++) {
    // A quotient, not a sum: accumulated rounding errors could change the number of arrivals.
    at = arrivals === 'constant' ? index / rate : at - Math.log(1 - random.uniform()) / rate;
    if (at >= seconds) return;
    yield at * 1000;
  }
}
