import type { CocoCategory } from '../../detect/coco.js';
import type { Detection } from '../../detect/nms.js';
import { classColor } from '../../image/colors.js';
import { annotate } from '../../image/draw.js';
import type { Image } from '../../image/image.js';

/**
 * The image with its objects drawn into it, as a PNG of at most 1280 pixels a side; `categories` are in the order of
 * the model's classes.
 */
export function drawDetections(
  image: Image,
  detections: readonly Detection[],
  categories: readonly CocoCategory[],
): Promise<Buffer> {
  const boxes = detections.map(({ box, classIndex, score }) => ({
    box,
    label: `${categories[classIndex].name} ${score.toFixed(2)}`,
    color: classColor(classIndex),
  }));
  return annotate(image, boxes, { format: 'png' });
}
