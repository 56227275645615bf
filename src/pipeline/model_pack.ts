import { join } from 'node:path';
import { UserError } from '../base/errors.js';
import { readDataset } from '../data/tables.js';
import type { CocoCategory } from '../detect/coco.js';
import { openNetwork } from '../model/weights/open.js';
import { packBundle } from './packing/pack_bundle.js';
import type { StepContext } from './runner/step.js';

export interface ModelPackInputs {
  /** Weights of the network, safetensors. */
  checkpoint: string;
  /** Folder of the test split's tables; its images are in the store. */
  testDataset: string;
  /** In the order of the network's classes. */
  categories: CocoCategory[];
}

export interface ModelPackOutputs {
  /** Folder of the bundle. */
  bundle: string;
  /** Largest differences between the exported model and the network: pixels, and probabilities. */
  box_difference: number;
  score_difference: number;
  /** Image of the test split that became the test image, and the number of objects found in it. */
  test_image: string;
  detections: number;
}

/**
 * Packs a checkpoint for serving, with a test image of the test split.
 * @throws UserError for an empty split, a checkpoint of other classes, or an export that computes something else
 */
export async function modelPack(
  { checkpoint, testDataset, categories }: ModelPackInputs,
  { config, dir, store }: StepContext,
): Promise<ModelPackOutputs> {
  const network = await openNetwork(checkpoint);
  const images = (await readDataset(testDataset)).images.sort((a, b) => a.id - b.id);
  if (images.length === 0) throw new UserError({ where: testDataset, expected: 'an image in the test split' });
  const bundle = join(dir, 'bundle');
  const packed = await packBundle(bundle, {
    network,
    categories,
    weightsPath: checkpoint,
    images: images.map((image) => store.imagePath(image)),
    settings: config.pack,
  });
  return { bundle, ...packed, test_image: images[packed.test_image].file_name };
}
