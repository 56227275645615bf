/** What the figures leave out, or interpret differently than its author may expect. */
const NOTICES = {
  duplicateImageId: 'image entries whose id another one has: their objects and detections count as of one image',
  duplicateCategoryId: 'category entries whose id another one has: they count as one category, by the last name',
  unknownImage: 'annotations of images that are not listed: left out',
  unknownCategory: 'annotations of categories that are not listed: left out',
  missingIscrowd: 'annotations without iscrowd: taken for single objects (pycocotools refuses the file)',
  ignoreField: 'annotations with "ignore": it has no effect on box metrics, only iscrowd has',
  zeroId:
    'annotations of id 0: pycocotools takes that id for "not found", so they count as missed here too; number from 1',
  textId: 'annotations whose id is text: counted like any other (pycocotools may refuse the file)',
  noObjects: 'ground truth without an object to find: every figure is absent',
  noDetections: 'empty list of detections: nothing was found (pycocotools refuses the file)',
  unknownDetectedCategory: 'detections of categories that are not in the ground truth: left out',
  negativeObject: 'annotations of negative width or height: they count as objects, but nothing can match them',
  negativeSize: 'detections of negative width or height: they match no object',
  beyondLimit: 'detections beyond the best 100 of one image and category: left out',
} as const;

export type NoticeKind = keyof typeof NOTICES;

export interface Notice {
  kind: NoticeKind;
  /** Number of affected entries. */
  count: number;
  /** The first of them, as file and path inside it. */
  first: string;
  /** What they are and how they are handled. */
  meaning: string;
}

/** Counts notices by kind. */
export class Notices {
  readonly #counts = new Map<NoticeKind, { count: number; first: string }>();

  add(kind: NoticeKind, where: string, times = 1): void {
    if (times === 0) return;
    const entry = this.#counts.get(kind);
    if (entry) entry.count += times;
    else this.#counts.set(kind, { count: times, first: where });
  }

  /** In the order of {@link NOTICES}, without kinds that did not occur. */
  get list(): Notice[] {
    return (Object.keys(NOTICES) as NoticeKind[]).flatMap((kind) => {
      const entry = this.#counts.get(kind);
      return entry ? [{ kind, ...entry, meaning: NOTICES[kind] }] : [];
    });
  }
}

/** Formats a notice as a line for people. */
export function describeNotice({ count, first, meaning }: Notice): string {
  return `${count} ${meaning}. First: ${first}`;
}
