import { describeValue } from '../../base/errors.js';
import type { Box } from '../../detect/box.js';
import type { CocoImage } from '../../detect/coco.js';
import type { ProblemKind, Validation } from '../validation.js';
import { boxOfSegmentation } from './segmentation.js';

/** Pixels by which a box may exceed its image, because COCO rounds coordinates to two decimals. */
const EDGE_TOLERANCE = 0.01;

/** A usable image, and the EXIF orientation by which its boxes must still be rotated (1: none). */
export interface CheckedImage {
  image: CocoImage;
  turn: number;
}

/** Why a box is unusable. */
export interface BadBox {
  kind: ProblemKind;
  detail: string;
}

/**
 * Returns the box of an annotation in its upright image: finite, of positive area, inside. Replaces an unusable box by
 * that of the segmentation and reads numbers given as text; `validation` lists both.
 */
export function checkBox(
  entry: Record<string, unknown>,
  checked: CheckedImage,
  where: string,
  validation: Validation,
): Box | BadBox {
  const { image, turn } = checked;
  const { bbox } = entry;
  const stored = turn >= 5 ? { height: image.width, width: image.height } : image;
  let box = readBox(bbox);
  if (Array.isArray(box)) {
    if ((bbox as unknown[]).some((value) => typeof value === 'string')) validation.count('textBox');
  } else {
    const around = boxOfSegmentation(entry.segmentation, stored.height, stored.width);
    const found = around && readBox(around);
    if (!Array.isArray(found)) return box;
    validation.fixed('boxFromSegmentation', where, `bbox ${describeValue(bbox)}, ${found.join(' ')} taken`);
    box = found;
  }
  if (isRelative(box) && stored.width > 1 && stored.height > 1) return { kind: 'relativeBox', detail: box.join(' ') };
  return clip(turnBox(box, checked), image, where, validation);
}

/**
 * Whether a box is relative to the image size, from a corner or the centre: in pixels, no object is that small and
 * exactly in the corner.
 */
const isRelative = (box: Box): boolean => box.every((value) => value >= 0 && value <= 1);

function readBox(value: unknown): Box | BadBox {
  const box = Array.isArray(value) && value.length === 4 ? value.map(numberFrom) : [undefined];
  // null stands for NaN in the file.
  if (box.some((v) => v === undefined)) return { kind: 'malformedAnnotation', detail: `bbox ${describeValue(value)}` };
  if (!box.every(Number.isFinite)) return { kind: 'nonFiniteBox', detail: describeValue(value) };
  const [, , width, height] = box as Box;
  const detail = box.join(' ');
  if (width < 0 || height < 0) return { kind: 'negativeBox', detail };
  return width * height === 0 ? { kind: 'emptyBox', detail } : (box as Box);
}

function numberFrom(value: unknown): number | null | undefined {
  if (typeof value === 'number' || value === null) return value;
  return typeof value === 'string' && /^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(value)
    ? Number(value)
    : undefined;
}

function clip([x, y, width, height]: Box, image: CocoImage, where: string, validation: Validation): Box | BadBox {
  const text = [x, y, width, height].join(' ');
  const left = Math.max(x, 0);
  const top = Math.max(y, 0);
  const right = Math.min(x + width, image.width);
  const bottom = Math.min(y + height, image.height);
  if (right <= left || bottom <= top) {
    return { kind: 'boxOutside', detail: `${text} in ${image.width}x${image.height}` };
  }
  const overhang = Math.max(left - x, top - y, x + width - right, y + height - bottom);
  if (overhang <= EDGE_TOLERANCE) return [x, y, width, height];
  validation.fixed('boxClipped', where, `${text} to ${image.width}x${image.height}`);
  return [left, top, right - left, bottom - top];
}

/** Rotates a box from stored pixels to the upright image; orientations as in EXIF 2.3, tag 0x0112. */
function turnBox([x, y, w, h]: Box, { image: { width, height }, turn }: CheckedImage): Box {
  switch (turn) {
    case 5:
      return [y, x, h, w];
    case 6:
      return [width - y - h, x, h, w];
    case 7:
      return [width - y - h, height - x - w, h, w];
    case 8:
      return [y, height - x - w, h, w];
    default:
      return [x, y, w, h];
  }
}
