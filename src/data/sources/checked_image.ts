import { describeValue } from '../../base/errors.js';
import type { CocoImage } from '../../detect/coco.js';
import type { ImageHeader } from '../../image/decode.js';
import type { CheckedImage } from '../coco/box.js';
import type { ListedImage } from '../coco/images.js';
import type { Validation } from '../validation.js';
import type { Resolved, Unusable } from './resolve_files.js';

/** A valid image file. */
export interface Inspected {
  header: ImageHeader;
  /** Its name in the store, if there is one. */
  sha256?: string;
}

/** Returns the image of an entry; undefined, with an entry in the report, if its file is unusable. */
export function checkImage(
  entry: ListedImage,
  resolved: Resolved | Unusable,
  inspected: ReadonlyMap<string, Inspected | Unusable>,
  validation: Validation,
): CheckedImage | undefined {
  const outcome = 'kind' in resolved ? resolved : (inspected.get(resolved.file) as Inspected | Unusable);
  if ('kind' in resolved || 'kind' in outcome) {
    const { kind, detail } = outcome as Unusable;
    validation.dropped(kind, entry.where, detail);
    return undefined;
  }
  const { file, fit } = resolved;
  const { width, height, orientation } = outcome.header;
  const { width: w, height: h } = entry;
  const sized =
    w === 0 || h === 0 || (w === width && h === height) || (w === height && h === width && orientation >= 5);
  if (fit === 'end' && !sized) {
    const detail = `${describeValue(file)} ends like it, but is ${width}x${height}, not ${w}x${h}`;
    validation.dropped('ambiguousName', entry.where, detail);
    return undefined;
  }
  if (fit !== 'exact') validation.fixed('nameMatched', entry.where, describeValue(file));
  return reconcile(entry, file, outcome, validation);
}

/** Determines the size, and whether the boxes must still be rotated. */
function reconcile(
  listed: ListedImage,
  file: string,
  { header, sha256: hash }: Inspected,
  validation: Validation,
): CheckedImage {
  const { width, height, orientation, frames } = header;
  if (frames > 1) validation.fixed('severalFrames', listed.where, `1 of ${frames}`);
  const image: CocoImage = { id: listed.id, file_name: file, width, height, ...(hash && { sha256: hash }) };
  if (listed.width === width && listed.height === height) return { image, turn: 1 };
  const given = `${listed.width}x${listed.height} given, ${width}x${height} in the file`;
  if (orientation >= 5 && listed.width === height && listed.height === width) {
    validation.fixed('rotatedImage', listed.where, `${given}, EXIF orientation ${orientation}`);
    return { image, turn: orientation };
  }
  validation.fixed('sizeMismatch', listed.where, given);
  return { image, turn: 1 };
}
