import { isRecord } from '../../base/record.js';
import type { Box } from '../../detect/box.js';

/**
 * The box around a COCO segmentation: polygons (lists of x, y, …, or one such list), or a run-length encoding of a mask
 * of `height` × `width`, compressed or not. Undefined for anything else or another size.
 */
export function boxOfSegmentation(segmentation: unknown, height: number, width: number): Box | undefined {
  if (Array.isArray(segmentation)) return boxOfPolygons(segmentation);
  if (!isRecord(segmentation) || !Array.isArray(segmentation.size)) return undefined;
  const [rows, columns] = segmentation.size;
  if (rows !== height || columns !== width) return undefined;
  const { counts } = segmentation;
  return boxOfRuns(typeof counts === 'string' ? decompress(counts) : counts, height, width);
}

function boxOfPolygons(polygons: readonly unknown[]): Box | undefined {
  const rings = polygons.length > 0 && polygons.every(Array.isArray) ? polygons : [polygons];
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const ring of rings) {
    if (ring.length < 6 || ring.length % 2 !== 0 || !ring.every(Number.isFinite)) return undefined;
    for (let i = 0; i < ring.length; i += 2) {
      left = Math.min(left, ring[i]);
      right = Math.max(right, ring[i]);
      top = Math.min(top, ring[i + 1]);
      bottom = Math.max(bottom, ring[i + 1]);
    }
  }
  return [left, top, right - left, bottom - top];
}

/** Alternating runs of pixels outside and inside the mask, column by column. */
function boxOfRuns(counts: unknown, height: number, width: number): Box | undefined {
  if (!Array.isArray(counts) || !counts.every((count) => Number.isSafeInteger(count) && count >= 0)) return undefined;
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  let at = 0;
  counts.forEach((count, i) => {
    if (i % 2 === 1 && count > 0) {
      const last = at + count - 1;
      const [first, final] = [Math.floor(at / height), Math.floor(last / height)];
      left = Math.min(left, first);
      right = Math.max(right, final);
      top = Math.min(top, first === final ? at % height : 0);
      bottom = Math.max(bottom, first === final ? last % height : height - 1);
    }
    at += count;
  });
  if (at !== height * width || right < left) return undefined;
  return [left, top, right - left + 1, bottom - top + 1];
}

/**
 * Decodes run lengths from COCO's text form: groups of five bits, lowest first, each a character from "0" on, whose bit
 * 32 means that more follow; from the fourth on, a length is the difference to the one two before it. Undefined if
 * damaged.
 */
function decompress(text: string): number[] | undefined {
  const counts: number[] = [];
  let at = 0;
  while (at < text.length) {
    let value = 0;
    let shift = 0;
    let more = true;
    while (more) {
      const code = text.charCodeAt(at++) - 48;
      if (!(code >= 0 && code < 64) || shift > 30) return undefined;
      value += (code & 31) * 2 ** shift;
      shift += 5;
      more = (code & 32) !== 0;
      // The highest bit of the last group is the sign bit.
      if (!more && (code & 16) !== 0) value -= 2 ** shift;
    }
    counts.push(counts.length > 2 ? value + counts[counts.length - 2] : value);
  }
  return counts;
}
