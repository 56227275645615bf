import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { learningRate } from '../../src/model/schedule.js';
import { golden, suiteNeeding } from '../support/shared.js';

interface GoldenSchedule {
  args: Record<string, number>;
  lr: number;
  iters_per_epoch: number;
  epochs: number;
  iters: number[];
  values: number[];
}

const files = golden(/^lr_schedules\.json$/);
const test = suiteNeeding('golden learning rates', files);

for (const file of files) {
  const schedules: Record<string, GoldenSchedule> = JSON.parse(readFileSync(file, 'utf8'));
  for (const [name, { args, lr, iters_per_epoch, epochs, iters, values }] of Object.entries(schedules)) {
    test(name, () => {
      const schedule = {
        name: name as 'cos',
        warmupEpochs: args.warmup_epochs ?? 0,
        warmupLr: args.warmup_lr_start ?? 0,
        noAugEpochs: args.no_aug_epochs ?? 0,
        minLrRatio: args.min_lr_ratio ?? 0,
      };
      iters.forEach((iteration, i) => {
        const ours = learningRate(iteration, lr, { iterationsPerEpoch: iters_per_epoch, epochs }, schedule);
        assert.ok(Math.abs(ours - values[i]) <= 1e-9, `iteration ${iteration}: ${ours}, not ${values[i]}`);
      });
    });
  }
}

test.run();
