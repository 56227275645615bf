// Losses of a few training steps and a hash of the weights they end with, to be compared bit for bit between versions
// of Node on one machine (scripts/test_nodes.mjs).
import { createHash } from 'node:crypto';
import { TrainState } from '../../src/model/train_state.js';
import type { Weights } from '../../src/model/weights/weights.js';
import { architecture, batches, cases, startingWeights } from './train_state_case.js';
import { trainSteps } from './train_steps.js';

function hashOf(weights: Weights): string {
  const hash = createHash('sha256');
  for (const [name, { data }] of weights) hash.update(name).update(data);
  return hash.digest('hex');
}

for (const { name, lr, options } of cases) {
  const state = new TrainState(startingWeights(), architecture, options);
  const losses = trainSteps(state, batches(lr));
  const [weights, average] = [hashOf(state.snapshot().weights), hashOf(state.averaged())];
  console.log(JSON.stringify({ name, losses, weights, average }));
  state.dispose();
}
