import { failuresOf } from '../../src/loadtest/result.js';
import { spread } from '../paired.js';
import { closed, open } from './client.js';
import { makeBundle, NANO } from './material.js';
import type { Bench, ServeResult } from './plan.js';
import { ours, startServer } from './servers.js';

/** How far above its capacity the server is asked. */
const TIMES = 5;

/** Milliseconds in which the server promises to answer what it takes. */
const DEADLINE_MS = 1000;

/** Far more requests by the clock than the server can answer: what it takes is answered in time, and it takes enough. */
export async function overload(bench: Bench): Promise<ServeResult[]> {
  const { plan, images, load } = bench;
  const bundle = await makeBundle(bench, NANO);
  const server = await startServer(ours(bundle.dir, ['--deadline', String(DEADLINE_MS)]), images[0]);
  try {
    const rounds = [];
    for (let round = 0; round < Math.min(2, plan.rounds); round++) {
      const { goodput: capacity } = await closed(server, plan.saturating[0], load);
      const run = await open(server, TIMES * capacity, { ...load, seconds: plan.overload });
      rounds.push({ capacity, run });
    }
    const accepted = rounds.map(({ run }) => run.latency?.p99_ms ?? Number.NaN);
    const last = rounds[rounds.length - 1].run;
    const outcomes = Object.entries({ ...last.statuses, ...last.errors }).map(([what, count]) => `${count} × ${what}`);
    const sent = `${failuresOf(last)} of ${last.requests} refused or failed in the last round: ${outcomes.join(', ')}`;
    const late = `the client sent its requests ${last.send_delay?.p99_ms.toFixed(1)} ms late (p99) and kept ${last.client_cores.toFixed(2)} cores busy`;
    return [
      {
        case: `${NANO.name}, asked ${TIMES} × its capacity: answered`,
        unit: 'requests/s',
        ours: spread(rounds.map(({ run }) => run.goodput)).median,
        peer: spread(rounds.map(({ capacity }) => capacity)).median,
        peer_name: `its capacity, ${plan.saturating[0]} in flight`,
        ratio: spread(rounds.map(({ run, capacity }) => run.goodput / capacity)),
        note: sent,
      },
      {
        case: `${NANO.name}, asked ${TIMES} × its capacity: p99 of the answered`,
        unit: 'ms',
        ours: spread(accepted).median,
        peer: DEADLINE_MS,
        peer_name: 'the deadline',
        ratio: spread(accepted.map((ms) => DEADLINE_MS / ms)),
        note: late,
      },
    ];
  } finally {
    await server.stop();
  }
}
