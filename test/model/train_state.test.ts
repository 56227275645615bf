import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readJson } from '../../src/base/files.js';
import { TrainState } from '../../src/model/train_state.js';
import {
  architecture,
  batches,
  cases,
  type Digest,
  type Summary,
  startingWeights,
  summarize,
} from './train_state_case.js';
import { trainSteps } from './train_steps.js';

// Four steps beside PyTorch's in double precision (make_train_state.ts), from where rounding stays small: weights off by
// a relative 1e-7 at the start move the losses by 2e-6 and the tensors by 2e-5 of their way.
const LOSS_BOUND = 1e-4;
/** Of the norm of a tensor's way; in float32 small steps on large values lose up to 2e-3 of it. */
const MOVE_BOUND = 5e-3;
/** How far PyTorch's average of a constant strays from it. */
const NOTHING = 1e-12;

const test = suite('training steps beside PyTorch');
const expected = await readJson<Record<string, Summary>>(`${import.meta.dirname}/train_state.expected.json`);

for (const { name, lr, options } of cases) {
  test(name, () => {
    const state = new TrainState(startingWeights(), architecture, options);
    const losses = trainSteps(state, batches(lr));
    const ours = summarize(losses, state.snapshot().weights, state.averaged());
    state.dispose();

    const theirs = expected[name];
    theirs.losses.forEach((row, step) => {
      row.forEach((loss, part) => {
        assertNear(ours.losses[step][part], loss, LOSS_BOUND * loss, `loss ${part} of step ${step}`);
      });
    });
    for (const kind of ['weights', 'average'] as const) {
      assert.equal(Object.keys(ours[kind]), Object.keys(theirs[kind]));
      for (const [tensor, digest] of Object.entries(theirs[kind]))
        assertMove(ours[kind][tensor], digest, `${kind}: ${tensor}`);
    }
  });
}

function assertMove(ours: Digest, theirs: Digest, what: string): void {
  const bound = MOVE_BOUND * theirs[0] + NOTHING;
  for (const [i, figure] of theirs.entries()) assertNear(ours[i], figure, bound, `figure ${i} of ${what}`);
}

function assertNear(ours: number, theirs: number, bound: number, what: string): void {
  assert.ok(Math.abs(ours - theirs) <= bound, `${what} is ${ours}, not ${theirs} ± ${bound}`);
}

test.run();
