import { spread } from '../paired.js';
import { bareVariants, bestBare } from './bare.js';
import { closed } from './client.js';
import { makeBundle, NANO } from './material.js';
import type { Bench, ServeResult } from './plan.js';
import { ours, startServer } from './servers.js';
import { against, type Player, takeTurns } from './turns.js';

/** What the service adds to decoding and running: the time of one client beside the same work in a bare loop. */
export async function single(bench: Bench): Promise<ServeResult[]> {
  const { plan, images } = bench;
  const bundle = await makeBundle(bench, NANO, { goal: 'latency' });
  // One image after the other: one process, which may use every core.
  const alone = bareVariants().filter(({ processes }) => processes === 1);
  const settings = { bundle: bundle.dir, images };
  const bare = await bestBare(settings, alone, plan.trial, ({ p50 }) => -p50);
  const server = await startServer(ours(bundle.dir), images[0]);
  try {
    const players: Player[] = [
      { name: server.name, play: async () => (await closed(server, 1, bench.load)).latency?.p50_ms ?? Number.NaN },
      { name: `${bare.name}, decoding each image`, play: async () => (await bare.measure(plan.seconds)).p50 },
    ];
    const [own, other] = await takeTurns(players, plan.rounds);
    const added = spread(own.map((value, round) => value - other[round]));
    const note = `the service adds ${[added.median, added.min, added.max].map((ms) => ms.toFixed(2)).join(', ')} ms (median, least, most)`;
    const name = `${NANO.name}, one client, p50`;
    return against({ name, unit: 'ms', more: false }, players, [own, other]).map((result) => ({ ...result, note }));
  } finally {
    bare.stop();
    await server.stop();
  }
}
