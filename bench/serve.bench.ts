import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { log } from '../src/base/progress.js';
import { build, findImages } from './serve/material.js';
import { nano } from './serve/nano.js';
import { overload } from './serve/overload.js';
import { type Bench, FULL, QUICK, type ServeResult } from './serve/plan.js';
import { single } from './serve/single.js';
import { small } from './serve/small.js';
import { start } from './serve/start.js';
import { swaps } from './serve/swaps.js';

const RUN: Record<string, (bench: Bench) => Promise<ServeResult[]>> = {
  nano,
  single,
  s: small,
  start,
  overload,
  swaps,
};

/** What may be named after `serve`. */
export const PARTS = Object.keys(RUN);

/**
 * The service as users start it, with the client on the same machine. Peers: FastAPI and BentoML on onnxruntime with the
 * same model, images and answers; onnxruntime-node alone.
 */
export default async function serveBench({ parts, quick }: { parts: string[]; quick: boolean }) {
  build();
  const work = await mkdtemp(join(tmpdir(), 'yolox-serve-bench-'));
  try {
    const plan = quick ? QUICK : FULL;
    const images = await findImages(work, plan.images);
    const bench = { plan, work, images, load: { images, seconds: plan.seconds, warmUp: plan.warmUp } };
    const results: ServeResult[] = [];
    for (const part of parts.length > 0 ? parts : PARTS) {
      log(`serve ${part}`);
      results.push(...(await RUN[part](bench)));
    }
    return { results, table: markdown(results) };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function markdown(results: readonly ServeResult[]): string {
  const cell = (value: number) => value.toFixed(value < 100 ? 2 : 0);
  const rows = results.map(({ case: what, unit, ours, peer, peer_name, ratio, note }) =>
    [
      what,
      `${cell(ours)} ${unit}`,
      peer_name,
      `${cell(peer)} ${unit}`,
      `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)} to ${ratio.max.toFixed(2)})`,
      note ?? '',
    ].join(' | '),
  );
  return ['what | ours | beside | its | ratio | ', '--- | ---: | --- | ---: | --- | ---', ...rows]
    .map((row) => `| ${row} |`)
    .join('\n');
}
