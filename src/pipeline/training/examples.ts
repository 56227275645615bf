import type { Store } from '../../data/store.js';
import type { CocoDataset, StoredImage } from '../../detect/coco.js';
import type { Example } from './augment.js';

/** The images of a dataset in the store as training examples, classes by the order of its categories; crowds left out. */
export function toExamples({ images, annotations, categories }: CocoDataset<StoredImage>, store: Store): Example[] {
  const classOf = new Map(categories.map(({ id }, index) => [id, index]));
  const examples = new Map<number, Example>();
  for (const image of images) {
    const { id, file_name: name, width, height } = image;
    examples.set(id, { name, path: store.imagePath(image), width, height, objects: [] });
  }
  for (const { image_id, category_id, bbox, iscrowd } of annotations) {
    // A crowd is a region, not an object; nothing should learn its box.
    if (!iscrowd) examples.get(image_id)?.objects.push({ classIndex: classOf.get(category_id) as number, bbox });
  }
  return [...examples.values()];
}
