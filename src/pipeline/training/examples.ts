import type { Store } from '../../data/store.js';
import type { CocoDataset, StoredImage } from '../../detect/coco.js';
import type { Example } from './augment.js';

/**
 * Converts the images of a dataset in the store to training examples, with class indices in the order of its categories
 * and without crowds.
 */
export function toExamples({ images, annotations, categories }: CocoDataset<StoredImage>, store: Store): Example[] {
  const classOf = new Map(categories.map(({ id }, index) => [id, index]));
  const examples = new Map<number, Example>();
  for (const image of images) {
    const { id, file_name: name, width, height } = image;
    examples.set(id, { name, path: store.imagePath(image), width, height, objects: [] });
  }
  for (const { image_id, category_id, bbox, iscrowd } of annotations) {
    // A crowd is a region, not an object; the model should not learn its box.
    if (!iscrowd) examples.get(image_id)?.objects.push({ classIndex: classOf.get(category_id) as number, bbox });
  }
  return [...examples.values()];
}
