import { palette } from '../../detect/categories.js';
import type { CocoCategory } from '../../detect/coco.js';
import type { Detection } from '../../detect/detections.js';
import { annotate } from '../../image/draw.js';
import type { Picture } from '../../image/image.js';

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
