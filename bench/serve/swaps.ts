import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../../src/base/errors.js';
import { log } from '../../src/base/progress.js';
import { failuresOf } from '../../src/loadtest/result.js';
import { compareAnswers } from '../../src/pipeline/service_test/compare_answers.js';
import type { Answer } from '../../src/serve/http/answer.js';
import { closedUntilStopped } from './client.js';
import { makeBundle, NANO } from './material.js';
import type { Bench, ServeResult } from './plan.js';
import { ask, ours, post, type RunningServer, startServer } from './servers.js';
import { memoryOf } from './start.js';

/** Lowest score the second version answers, so that it says less about some images than the first. */
const SURER = 0.6;

/** How far below it an object must be to be surely left out. */
const MARGIN = 0.05;

/** An image's place in a batch moves the last digits. */
const TOLERANCE = { minIou: 0.98, scoreTolerance: 0.01 };

type Objects = Answer['annotations'];

/** Changes the live version again and again under full load; counts what fails, or answers as neither version does. */
export async function swaps(bench: Bench): Promise<ServeResult[]> {
  const { plan, images, work, load } = bench;
  const versions = [
    await makeBundle(bench, NANO),
    await makeBundle(bench, { ...NANO, confidence: SURER }, { version: '2' }),
  ];
  const token = randomBytes(24).toString('hex');
  const server = await startServer(
    ours(versions[0].dir, ['--serve.bundles', work], { YOLOX_SERVE_ADMIN_TOKEN: token }),
    images[0],
  );
  let checker: ReturnType<typeof checkAnswers> | undefined;
  let loading: ReturnType<typeof closedUntilStopped> | undefined;
  try {
    const admin = adminOf(server, token);
    checker = checkAnswers(server, await tellingImage(server, images));
    loading = closedUntilStopped(server, plan.saturating[0], load);
    const memory: number[] = [];
    await sleep(1000 * load.warmUp);
    const started = performance.now();
    for (let swap = 0; swap < plan.swaps; swap++) {
      const [from, to] = swap % 2 === 0 ? ['1', '2'] : ['2', '1'];
      await admin('POST', '/versions', { bundle: basename(versions[Number(to) - 1].dir) });
      await admin('POST', `/versions/bench@${to}/promote`);
      await admin('DELETE', `/versions/bench@${from}`);
      memory.push(memoryOf(server.pid));
      log(`swap ${swap + 1} of ${plan.swaps}: ${memory[swap].toFixed(0)} MB`);
    }
    const seconds = (performance.now() - started) / 1000;
    const run = await loading.stop();
    const { checked, wrong, versions: seen } = await checker.stop();
    const half = Math.ceil(memory.length / 2);
    const [early, late] = [Math.max(...memory.slice(0, half)), Math.max(...memory.slice(half - 1))];
    const note =
      `${failuresOf(run)} of ${run.requests} requests failed; ${wrong} of ${checked} answers of ${seen} versions were not those ` +
      `of the version they named; ${(seconds / plan.swaps).toFixed(1)} s a swap; p99 ${run.latency?.p99_ms.toFixed(0)} ms`;
    return [
      {
        case: `${plan.swaps} changes of version, ${plan.saturating[0]} in flight: most memory, late beside early`,
        unit: 'MB',
        ours: late,
        peer: early,
        peer_name: 'the first half',
        ratio: { min: early / late, median: early / late, max: early / late },
        note,
      },
    ];
  } finally {
    await checker?.stop();
    await loading?.stop();
    await server.stop();
  }
}

/** An image about which the two versions say different things. */
async function tellingImage(server: RunningServer, images: readonly string[]): Promise<string> {
  for (const image of images) {
    const { annotations } = await ask(server, image);
    if (annotations.some(({ score }) => score < SURER - MARGIN)) return image;
  }
  const hint = 'Untrained weights find none; YOLOX_SHARED names the folder of pretrained ones.';
  throw new UserError({ where: 'serve swaps', expected: 'an image with an unsure object', hint });
}

function adminOf({ url }: RunningServer, token: string) {
  return async (method: string, path: string, body?: object): Promise<void> => {
    const response = await fetch(new URL(`/admin${path}`, url), {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  };
}

/** Asks about one image until stopped: every answer must be that of the version it names, as first seen. */
function checkAnswers(server: RunningServer, image: string) {
  const known = new Map<string, Objects>();
  let [checked, wrong, stopped] = [0, 0, false];
  const check = async () => {
    const response = await post(server, image);
    const version = response.headers.get('x-model-version');
    const { annotations } = (await response.json()) as Answer;
    if (!response.ok || version === null) return false;
    const first = known.get(version);
    const others = [...known].filter(([name]) => name !== version);
    known.set(version, first ?? annotations);
    return (first === undefined || alike(first, annotations)) && !others.some(([, other]) => alike(other, annotations));
  };
  const done = (async () => {
    for (; !stopped; checked++) if (!(await check().catch(() => false))) wrong++;
  })();
  return {
    async stop() {
      stopped = true;
      await done;
      return { checked, wrong, versions: known.size };
    },
  };
}

function alike(one: Objects, other: Objects): boolean {
  const { missing, extra } = compareAnswers(one, other, TOLERANCE);
  return missing.length + extra.length === 0;
}
