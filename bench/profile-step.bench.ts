import { TrainState } from '../src/model/train_state.js';
import { initialWeights } from '../src/model/weights/init.js';
import { type OpProfile, profileOps, profileTable } from './op_profile.js';
import { architecture, NAME, options, randomImages, randomLabels } from './step_case.js';

/** Which ops a training step spends its time in; with YOLOX_OPS=reference, those of the composed layers. */
export default function profileStep(): { results: (OpProfile & { case: string })[]; table: string } {
  const state = new TrainState(initialWeights(architecture, 1), architecture, options);
  const [images, labels] = [randomImages(), randomLabels()];
  const profile = profileOps(() => state.update(images, labels, 1e-4, false), { rounds: 9, warmUp: 2 });
  return { results: [{ case: NAME, ...profile }], table: `${NAME}\n\n${profileTable(profile)}` };
}
