/**
 * Training steps within the bounds of the golden data, as far as float32 can tell. Steps feed back on each other: at a
 * learning rate of 0.002 a fresh network turns a relative error of 1e-7 into 1e-1 within four of them, and PyTorch's
 * own losses change by 4e-2 at the third step with its number of threads. A figure may therefore be off by what
 * rounding explains: training starts again from initial weights that differ in their last bit, and the largest
 * difference between any two of these runs, times `MARGIN`, widens a bound that is smaller. Each case prints what was
 * widened; model/train_state.test.ts holds the same code to sharp bounds where rounding stays small.
 */
import { basename } from 'node:path';
import * as assert from 'uvu/assert';
import { Random } from '../../src/base/random.js';
import { configSchema } from '../../src/config/schema.js';
import { TrainState } from '../../src/model/train_state.js';
import type { Weights } from '../../src/model/weights/weights.js';
import { golden, suiteNeeding } from '../helpers.js';
import { trainSteps } from '../model/train_steps.js';
import { type GoldenFile, maxDifference, readGolden, readWeights } from './read.js';

/** Relative. */
const LOSS_BOUND = 1e-3;
/** Absolute, of weights, batch-norm statistics and their averages. */
const WEIGHT_BOUND = 1e-4;
/** Of the initial weights, relative: half a unit in the last place of float32, on average. */
const PERTURBATION = 1e-7;
const PERTURBED_RUNS = 6;
/** A sample this small shows down to a seventh of the largest differences there are (40 runs of `train_pico`). */
const MARGIN = 10;

const LOSSES = ['total', 'iou', 'obj', 'cls', 'l1'];

const cases = golden(/^train_.*\.io\.safetensors$/);
const test = suiteNeeding('golden training steps', cases);

for (const path of cases) {
  test(basename(path), async () => {
    const io = await readGolden(path);
    const beside = (part: string) => readWeights(path.replace('.io.', `.${part}.`));
    const losses = Array.from({ length: io.shape('losses')[0] }, (_, step) => [
      ...io.values('losses').subarray(step * LOSSES.length, (step + 1) * LOSSES.length),
    ]);
    const expected = toFigures(losses, await beside('final'), await beside('ema'));

    const init = await beside('init');
    const ours = train(io, init);
    const runs = [ours, ...Array.from({ length: PERTURBED_RUNS }, (_, seed) => train(io, perturb(init, seed)))];
    assert.equal([...ours.keys()].sort(), [...expected.keys()].sort());
    const checks = [...expected].map(([name, values]) => {
      const bound = name.startsWith('step') ? LOSS_BOUND * Math.max(Math.abs(values[0]), 1e-6) : WEIGHT_BOUND;
      const rounding = largestDifference(runs.map((run) => run.get(name) as ArrayLike<number>));
      return { name, deviation: maxDifference(ours.get(name) ?? [], values), bound, rounding };
    });
    console.log(`${basename(path)}: ${describeRounding(checks)}`);
    for (const { name, deviation, bound, rounding } of checks) {
      const allowed = Math.max(bound, MARGIN * rounding);
      assert.ok(deviation <= allowed, `${name} is off by ${deviation}, allowed ${allowed}`);
    }
  });
}

/** All that is compared, by name: `step 0: total`, `weights: head.stems.0.bn.bias`, `average: …`. */
type Figures = Map<string, ArrayLike<number>>;

function toFigures(losses: number[][], weights: Weights, average: Weights): Figures {
  const state = (kind: string, tensors: Weights) =>
    [...tensors].map(([name, { data }]) => [`${kind}: ${name}`, data] as const);
  return new Map([
    ...losses.flatMap((row, step) => row.map((loss, i) => [`step ${step}: ${LOSSES[i]}`, [loss]] as const)),
    ...state('weights', weights),
    ...state('average', average),
  ]);
}

function train(io: GoldenFile, init: Weights): Figures {
  const meta = io.metadata;
  const defaults = configSchema.parse({}).train;
  const state = new TrainState(
    init,
    {
      depth: +meta.depth,
      width: +meta.width,
      depthwise: meta.depthwise === 'true',
      classes: +meta.num_classes,
    },
    {
      ...defaults,
      optimizer: {
        ...defaults.optimizer,
        momentum: +meta.momentum,
        nesterov: meta.nesterov === 'true',
        weightDecay: +meta.weight_decay,
      },
      ema: { ...defaults.ema, decay: +meta.ema_decay },
      fixedBatchNorm: false,
    },
  );
  const losses = trainSteps(state, {
    images: io.values('images_nchw_bgr'),
    shape: io.shape('images_nchw_bgr'),
    labels: io.values('labels'),
    lr: +meta.lr,
    l1FromStep: +meta.l1_from_step,
  });
  const figures = toFigures(losses, state.snapshot().weights, state.averaged());
  state.dispose();
  return figures;
}

function perturb(weights: Weights, seed: number): Weights {
  const random = new Random('perturb', seed);
  const off = (value: number) => value * (1 + random.uniform(-PERTURBATION, PERTURBATION));
  return new Map([...weights].map(([name, { shape, data }]) => [name, { shape, data: data.map(off) }]));
}

/** Between any two of the arrays. */
function largestDifference(arrays: ArrayLike<number>[]): number {
  return Math.max(...arrays.flatMap((a, i) => arrays.slice(0, i).map((b) => maxDifference(a, b))));
}

function describeRounding(checks: { name: string; bound: number; rounding: number }[]): string {
  const shares = new Map<string, number>();
  for (const { name, bound, rounding } of checks) {
    const [group] = name.split(':');
    shares.set(group, Math.max(shares.get(group) ?? 0, rounding / bound));
  }
  const above = (limit: number) => [...shares].filter(([, share]) => share > limit);
  if (above(1 / MARGIN).length === 0) return 'all figures held to the bounds';
  const widened = above(1 / MARGIN).map(([group, share]) => `${group} ${(MARGIN * share).toPrecision(2)} times`);
  const first = above(1)[0]?.[0];
  const start = first ? `rounding alone exceeds the bounds from ${first} on` : 'rounding alone stays within the bounds';
  return `${start}; widened at most: ${widened.join(', ')}`;
}

test.run();
