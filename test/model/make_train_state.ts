/** x */
import { join } from 'node:path';
import { writeSafetensors } from '../../src/model/weights/safetensors.js';
import {
  architecture,
  cases,
  IMAGES,
  L1_FROM_STEP,
  LABELS,
  randomImages,
  randomLabels,
  startingWeights,
} from './train_state_case.js';

async function writeInputs(dir: string): Promise<void> {
  const tensors = new Map([
    ['images_nchw_bgr', { shape: IMAGES, data: randomImages() }],
    ['labels', { shape: LABELS, data: randomLabels() }],
  ]);
  for (const { name, lr, options } of cases) {
    const { optimizer, ema, freeze } = options;
    const metadata = {
      depth: architecture.depth,
      width: architecture.width,
      num_classes: architecture.classes,
      lr,
      optimizer: optimizer.name,
      momentum: optimizer.momentum,
      weight_decay: optimizer.weightDecay,
      ema_decay: ema.decay,
      ema_ramp: ema.ramp,
      freeze,
      l1_from_step: L1_FROM_STEP,
    };
    const texts = Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, String(value)]));
    await writeSafetensors(join(dir, `train_${name}.io.safetensors`), tensors, texts);
    await writeSafetensors(join(dir, `train_${name}.init.safetensors`), startingWeights());
  }
}
await writeInputs(process.argv[3]);
