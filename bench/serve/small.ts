import { bareVariants, bestBare } from './bare.js';
import { makeBundle, SMALL } from './material.js';
import type { Bench, ServeResult } from './plan.js';
import { ours, startServer } from './servers.js';
import { against, bestConcurrency, loadPlayer, type Player, takeTurns } from './turns.js';

/** How much longer a turn takes than elsewhere: with a few requests a second, one more or less counts. */
const LONGER = 3;

/** YOLOX-S, where the model is nearly all there is to do: the service beside `session.run` alone. */
export async function small(bench: Bench): Promise<ServeResult[]> {
  const { plan, images } = bench;
  const seconds = LONGER * plan.seconds;
  const bundle = await makeBundle(bench, SMALL);
  const bare = await bestBare({ bundle: bundle.dir }, bareVariants(), plan.trial, ({ rate }) => rate);
  const server = await startServer(ours(bundle.dir), images[0]);
  try {
    const concurrency = await bestConcurrency(server, bench);
    const players: Player[] = [
      loadPlayer(server, concurrency, { ...bench.load, seconds }, ({ goodput }) => goodput),
      { name: `${bare.name}, inputs decoded before`, play: async () => (await bare.measure(seconds)).rate },
    ];
    const name = `${SMALL.name}, ${concurrency} in flight`;
    return against({ name, unit: 'requests/s', more: true }, players, await takeTurns(players, plan.rounds));
  } finally {
    bare.stop();
    await server.stop();
  }
}
