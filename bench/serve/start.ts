import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { processTree } from '../../src/loadtest/process_use.js';
import { closed } from './client.js';
import { makeBundle, NANO } from './material.js';
import { startAll } from './nano.js';
import type { Bench, ServeResult } from './plan.js';
import { startServer } from './servers.js';
import { against, takeTurns } from './turns.js';

/** Milliseconds a server is left alone before its memory is said to be that of an idle one. */
const SETTLE_MS = 1500;

/** Time from the start of a server to its first answer, and the memory of its processes, the model's file taken off. */
export async function start(bench: Bench): Promise<ServeResult[]> {
  const { plan, images, load } = bench;
  const bundle = await makeBundle(bench, NANO);
  const running = await startAll(bench, bundle.dir);
  for (const server of running) await server.stop();
  const figures = { start: [] as number[][], idle: [] as number[][], once: [] as number[][], loaded: [] as number[][] };
  const players = running.map(({ server }, i) => {
    for (const list of Object.values(figures)) list[i] = [];
    return {
      name: server.name,
      async play() {
        const again = await startServer(server, images[0]);
        try {
          await sleep(SETTLE_MS);
          figures.idle[i].push(memoryOf(again.pid) - bundle.modelMb);
          figures.once[i].push(sharedMemoryOf(again.pid) - bundle.modelMb);
          const { process: use } = await closed(again, plan.saturating[0], load);
          figures.loaded[i].push((use?.rss_max_mb ?? Number.NaN) - bundle.modelMb);
        } finally {
          await again.stop();
        }
        return again.startMs;
      },
    };
  });
  figures.start = await takeTurns(players, plan.starts);
  return [
    ...against({ name: 'start to first answer', unit: 'ms', more: false }, players, figures.start),
    ...against({ name: 'memory idle, without model', unit: 'MB', more: false }, players, figures.idle),
    ...against({ name: 'the same, shared pages once', unit: 'MB', more: false }, players, figures.once),
    ...against({ name: 'memory under load, without model', unit: 'MB', more: false }, players, figures.loaded),
  ];
}

/** Resident megabytes of a process and all below it. */
export const memoryOf = (pid: number): number => sumOfTree(pid, 'Rss');

/** The same with pages that several processes share, such as Node's own code, counted once. */
const sharedMemoryOf = (pid: number): number => sumOfTree(pid, 'Pss');

function sumOfTree(pid: number, field: 'Rss' | 'Pss'): number {
  return processTree(pid).reduce((sum, one) => {
    const rollup = readFileSync(`/proc/${one}/smaps_rollup`, 'latin1');
    const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(rollup)?.[1] ?? 0;
    return sum + Number(kilobytes) / 1024;
  }, 0);
}
