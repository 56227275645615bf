import { palette } from '../../data/classes.js';
import type { CocoCategory } from '../../data/coco.js';
import type { Detection } from '../../data/detections.js';
import type { Picture } from '../../data/picture.js';
import { annotate } from '../../report/annotate.js';

/**
 * The picture with its objects drawn into it, as a PNG of at most 1280 pixels a side; `categories` are in the order of
 * the model's classes.
 */
export function drawDetections(
  picture: Picture,
  detections: readonly Detection[],
  categories: readonly CocoCategory[],
): Promise<Buffer> {
  const boxes = detections.map(({ box, classIndex, score }) => ({
    box,
    label: `${categories[classIndex].name} ${score.toFixed(2)}`,
    color: palette(classIndex),
  }));
  return annotate(picture, boxes, { format: 'png' });
}
