import { log } from '../../src/base/progress.js';
import { isClientBusy } from '../../src/loadtest/describe.js';
import { failuresOf, loadName, type RunResult } from '../../src/loadtest/result.js';
import { spread } from '../paired.js';
import { closed, type LoadOptions } from './client.js';
import type { Bench, ServeResult } from './plan.js';
import { type RunningServer, type Server, startPeer } from './servers.js';

/** Somebody who takes turns: does one unit of measured work and gives its figure. */
export interface Player {
  name: string;
  play(): Promise<number>;
}

/**
 * Everybody in turns, `rounds` times, each round beginning with the next one, so that whatever slows the machine down
 * meets all. Figures of each player, by round.
 */
export async function takeTurns(players: readonly Player[], rounds: number): Promise<number[][]> {
  const figures = players.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < players.length; turn++) {
      const index = (round + turn) % players.length;
      figures[index].push(await players[index].play());
    }
  }
  return figures;
}

export interface Case {
  name: string;
  unit: string;
  /** Whether a larger figure is the better one. */
  more: boolean;
}

/** The first player against each of the others; a ratio above 1 means the first is better. */
export function against({ name, unit, more }: Case, players: readonly Player[], figures: number[][]): ServeResult[] {
  const [own, ...others] = figures;
  return others.map((other, i) => ({
    case: name,
    unit,
    ours: spread(own).median,
    peer: spread(other).median,
    peer_name: players[i + 1].name,
    ratio: spread(own.map((value, round) => (more ? value / other[round] : other[round] / value))),
  }));
}

/** A closed loop of `concurrency` as a turn; what a figure should not be trusted for is said. */
export function loadPlayer(
  server: RunningServer,
  concurrency: number,
  options: LoadOptions,
  figure: (run: RunResult) => number,
): Player {
  return {
    name: server.name,
    async play() {
      const run = await closed(server, concurrency, options);
      const failed = failuresOf(run);
      if (failed > 0) log(`${server.name}: ${failed} of ${run.requests} requests failed, ${loadName(run.load)}`);
      if (isClientBusy(run)) log(`${server.name}: the client was busy, ${run.client_cores.toFixed(2)} cores`);
      return figure(run);
    },
  };
}

/** Of several ways to run one server, the one with the most answers a second; undefined when it does not start. */
export async function bestVariant(
  variants: readonly Server[],
  concurrency: number,
  options: LoadOptions,
): Promise<Server | undefined> {
  let best: { server: Server; rate: number } | undefined;
  for (const server of variants) {
    const running = await startPeer(server, options.images[0]);
    if (!running) return undefined;
    const { goodput: rate } = await closed(running, concurrency, options);
    await running.stop();
    log(`${server.name}: ${rate.toFixed(1)}/s`);
    if (!best || rate > best.rate) best = { server, rate };
  }
  return best?.server;
}

/** The number in flight, of those planned, at which a server answers the most. */
export async function bestConcurrency(server: RunningServer, { plan, load }: Bench): Promise<number> {
  let best = { concurrency: plan.saturating[0], rate: 0 };
  for (const concurrency of plan.saturating) {
    const { goodput: rate } = await closed(server, concurrency, { ...load, seconds: plan.trial });
    log(`${server.name}: ${rate.toFixed(1)}/s with ${concurrency} in flight`);
    if (rate > best.rate) best = { concurrency, rate };
  }
  return best.concurrency;
}
