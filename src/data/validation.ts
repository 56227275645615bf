/** What can be wrong with one item of a dataset. */
export const PROBLEMS = {
  malformedImage: 'image entry without a usable id or file name',
  malformedCategory: 'category entry without a usable id or name',
  malformedAnnotation: 'annotation entry without a box of four numbers',
  duplicateImageId: 'image id used before',
  duplicateCategoryId: 'category id used before',
  duplicateAnnotationId: 'annotation id missing or used before',
  unknownImage: 'annotation of an image that is not listed',
  unknownCategory: 'annotation of a category that is not listed',
  nonFiniteBox: 'box with NaN or infinite values',
  negativeBox: 'box of negative width or height',
  emptyBox: 'box of zero area',
  boxOutside: 'box wholly outside its picture',
  boxClipped: 'box reaching out of its picture',
  duplicateBox: 'box given twice: same image, category and corners',
  missingArea: 'annotation without a positive area',
  missingIscrowd: 'annotation without iscrowd',
  unsafePath: 'file name leading out of the images folder',
  missingPicture: 'picture file not found',
  unreadablePicture: 'picture file corrupt, truncated, too large or no picture',
  annotationOfDropped: 'annotation of a picture that was dropped',
  sizeMismatch: 'size given for the picture is not that of the file',
  rotatedPicture: 'annotated before EXIF rotation: boxes were turned with the picture',
  unlistedPicture: 'picture file that no image entry mentions',
} as const;

export type ProblemKind = keyof typeof PROBLEMS;

export interface ValidationItem {
  kind: ProblemKind;
  /** The entry as a path into the annotation file (`annotations[3]`) and its file name or id. */
  where: string;
  action: 'dropped' | 'fixed';
  detail: string;
}

/** Everything found wrong with a dataset and what was done about it. */
export interface ValidationReport {
  counts: Record<ProblemKind, number>;
  items: ValidationItem[];
}

/** Collects problems into a report. */
export class Validation {
  readonly report: ValidationReport = {
    counts: Object.fromEntries(Object.keys(PROBLEMS).map((kind) => [kind, 0])) as Record<ProblemKind, number>,
    items: [],
  };

  dropped(kind: ProblemKind, where: string, detail = ''): void {
    this.#add({ kind, where, action: 'dropped', detail });
  }

  fixed(kind: ProblemKind, where: string, detail = ''): void {
    this.#add({ kind, where, action: 'fixed', detail });
  }

  /** For what is worth a number but no list. */
  count(kind: ProblemKind, times: number): void {
    this.report.counts[kind] += times;
  }

  #add(item: ValidationItem): void {
    this.count(item.kind, 1);
    this.report.items.push(item);
  }
}

/** The report for a person: a line per kind with its first few items. Empty when all was well. */
export function describeReport({ counts, items }: ValidationReport, perKind = 3): string[] {
  const kinds = (Object.keys(PROBLEMS) as ProblemKind[]).filter((kind) => counts[kind] > 0);
  return kinds.flatMap((kind) => {
    const own = items.filter((item) => item.kind === kind);
    const shown = own
      .slice(0, perKind)
      .map((item) => `    ${[item.where, item.action, item.detail].filter(Boolean).join(', ')}`);
    const rest = own.length > perKind ? [`    … and ${own.length - perKind} more`] : [];
    return [`  ${counts[kind]} × ${PROBLEMS[kind]}`, ...shown, ...rest];
  });
}
