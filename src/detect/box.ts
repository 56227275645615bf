/** A box as left, top, right, bottom in pixels. */
export type Corners = [x1: number, y1: number, x2: number, y2: number];

/** A box as COCO writes it: left, top, width, height in pixels. */
export type Box = [x: number, y: number, width: number, height: number];

export const toCorners = ([x, y, width, height]: Readonly<Box>): Corners => [x, y, x + width, y + height];

export const toBox = ([x1, y1, x2, y2]: Readonly<Corners>): Box => [x1, y1, x2 - x1, y2 - y1];

/**
 * Intersection over union; 0 for boxes without area.
 *
 * @example
 * iou([0, 0, 10, 10], [5, 0, 15, 10]); // 1/3
 */
export function iou(a: Readonly<Corners>, b: Readonly<Corners>): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const both = width * height;
  return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both);
}
