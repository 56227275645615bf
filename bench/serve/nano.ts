import { join } from 'node:path';
import { log } from '../../src/base/progress.js';
import { spread } from '../paired.js';
import { checkSameAnswers } from './answers.js';
import { bareVariants, bestBare } from './bare.js';
import { closed } from './client.js';
import { makeBundle, NANO } from './material.js';
import type { Bench, ServeResult } from './plan.js';
import { bentoMl, fastApi, ours, type RunningServer, type Server, startPeer, startServer } from './servers.js';
import { against, bestConcurrency, bestVariant, loadPlayer, type Player, takeTurns } from './turns.js';

/** YOLOX-nano on JPEGs: requests a second at saturation and the times of one client, against FastAPI and BentoML. */
export async function nano(bench: Bench): Promise<ServeResult[]> {
  const { plan, images } = bench;
  const bundle = await makeBundle(bench, NANO);
  const servers = await startAll(bench, bundle.dir);
  try {
    const agreed = await agreement(servers, images);
    const results = [...(await saturated(bench, servers)), ...(await oneClient(bench, servers))];
    const bare = await bestBare({ bundle: bundle.dir }, bareVariants(), plan.trial, ({ rate }) => rate);
    const players: Player[] = [
      loadPlayer(servers[0], plan.saturating[0], bench.load, ({ goodput }) => goodput),
      { name: `${bare.name}, inputs decoded before`, play: async () => (await bare.measure(plan.seconds)).rate },
    ];
    const figures = await takeTurns(players, plan.rounds);
    bare.stop();
    const bareCase = { name: `${NANO.name}, ${plan.saturating[0]} in flight`, unit: 'requests/s', more: true };
    return [...results, ...against(bareCase, players, figures)].map((result) => ({
      ...result,
      note: agreed.get(result.peer_name) ?? result.note,
    }));
  } finally {
    for (const server of servers) await server.stop();
  }
}

/** Ours, and each peer at its best. */
export async function startAll(bench: Bench, bundle: string): Promise<RunningServer[]> {
  const best = await bestPeers(bench, bundle);
  const [image] = bench.images;
  const running = [await startServer(ours(bundle), image)];
  for (const server of best) {
    const peer = await startPeer(server, image);
    if (peer) running.push(peer);
  }
  return running;
}

/** The best variant of each peer that is there, found once for all parts. */
async function bestPeers({ plan, work, load }: Bench, bundle: string): Promise<Server[]> {
  const known = chosen.get(bundle);
  if (known) return known;
  const best: Server[] = [];
  for (const variants of [fastApiVariants(bundle), bentoMlVariants(bundle, join(work, 'bentoml'))]) {
    const server = await bestVariant(variants, plan.saturating[0], { ...load, seconds: plan.trial });
    if (server) best.push(server);
  }
  chosen.set(bundle, best);
  return best;
}

const chosen = new Map<string, Server[]>();

function fastApiVariants(bundle: string): Server[] {
  return [
    { workers: 1, threads: 2, pool: 1, spin: true },
    { workers: 1, threads: 2, pool: 2, spin: false },
    { workers: 1, threads: 1, pool: 2, spin: true },
    { workers: 1, threads: 1, pool: 4, spin: true },
    { workers: 2, threads: 1, pool: 1, spin: true },
    { workers: 2, threads: 1, pool: 2, spin: true },
  ].map((variant) => fastApi(bundle, variant));
}

function bentoMlVariants(bundle: string, home: string): Server[] {
  return [
    { workers: 1, threads: 2, spin: true },
    { workers: 1, threads: 2, spin: false },
    { workers: 2, threads: 1, spin: true },
  ].map((variant) => bentoMl(bundle, variant, home));
}

/** What to say of each peer's answers beside ours. */
async function agreement([own, ...peers]: RunningServer[], images: readonly string[]): Promise<Map<string, string>> {
  const notes = new Map<string, string>();
  for (const peer of peers) {
    const { objects, share } = await checkSameAnswers(own, peer, images);
    notes.set(peer.name, `answers agree in ${(100 * share).toFixed(1)} % of ${objects} sure objects`);
  }
  return notes;
}

async function saturated(bench: Bench, servers: readonly RunningServer[]): Promise<ServeResult[]> {
  const { plan, load } = bench;
  const [at] = plan.saturating;
  const turns = async (name: string, inFlight: readonly number[]) => {
    const players = servers.map((server, i) => loadPlayer(server, inFlight[i], load, ({ goodput }) => goodput));
    const figures = await takeTurns(players, plan.rounds);
    return against({ name: `${NANO.name}, ${name}`, unit: 'requests/s', more: true }, players, figures);
  };
  const best: number[] = [];
  for (const server of servers) best.push(await bestConcurrency(server, bench));
  return [
    ...(await turns(`${at} in flight`, Array(servers.length).fill(at))),
    ...(await turns(`each at its best (${best.join(', ')} in flight)`, best)),
  ];
}

/** Median and 99th percentile of one client that waits for each answer. */
async function oneClient({ plan, load }: Bench, servers: readonly RunningServer[]): Promise<ServeResult[]> {
  const tails = new Map(servers.map((server): [string, number[]] => [server.name, []]));
  const players = servers.map((server) => ({
    name: server.name,
    async play() {
      const { latency } = await closed(server, 1, load);
      if (!latency) throw new Error(`${server.name}: no request was answered`);
      tails.get(server.name)?.push(latency.p99_ms);
      return latency.p50_ms;
    },
  }));
  const medians = await takeTurns(players, plan.rounds);
  const figures = { p50: medians, p99: players.map(({ name }) => tails.get(name) as number[]) };
  for (const [i, { name }] of players.entries()) {
    log(`${name}: one client, p50 ${spread(medians[i]).median.toFixed(2)} ms`);
  }
  return Object.entries(figures).flatMap(([figure, values]) =>
    against({ name: `${NANO.name}, one client, ${figure}`, unit: 'ms', more: false }, players, values),
  );
}
