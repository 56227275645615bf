/** Problems of one item of a dataset. */
export const PROBLEMS = {
  malformedImage: 'image entry without a usable id or file name',
  malformedCategory: 'category entry without a usable id or name',
  malformedAnnotation: 'annotation entry without a box of four numbers',
  repeatedImage: 'image entry repeated word for word',
  repeatedCategory: 'category entry repeated word for word',
  duplicateImageId: 'image id used for several images, so that its annotations may be of any of them',
  duplicateCategoryId: 'category id used for several names, so that its annotations may be of any of them',
  duplicateAnnotationId: 'annotation id missing, used before, or no integer: another one was given',
  renumberedId: 'id that is text or above 2^53: another number was given',
  textId: 'id that is an integer written as text: read as the integer',
  duplicateCategoryName: 'category name used by several ids: taken as one class',
  similarCategoryName: 'category names that differ only in case, blanks or Unicode form: kept as two classes',
  unknownImage: 'annotation of an image that is not listed',
  unknownCategory: 'annotation of a category that is not listed',
  nonFiniteBox: 'box with NaN or infinite values',
  negativeBox: 'box of negative width or height',
  emptyBox: 'box of zero area',
  textBox: 'box whose numbers are written as text',
  boxFromSegmentation: 'annotation without a usable box: that of its segmentation was taken',
  relativeBox: 'box of numbers up to 1: shares of the sides rather than pixels',
  boxOutside: 'box wholly outside its image',
  boxClipped: 'box reaching out of its image',
  duplicateBox: 'box given twice: same image, category and corners',
  missingArea: 'annotation without a positive area',
  missingIscrowd: 'annotation without iscrowd',
  crowd: 'crowd region (iscrowd 1): neither trained on nor counted in evaluation, unless prep.crowd is keep',
  nameMatched: 'image file found under another spelling of its name, or by the end of it',
  ambiguousName: 'file name that may stand for several files, or several names for one file',
  sameFile: 'image entry of a file that another entry has: their annotations were put together',
  unsafePath: 'file name leading out of the images folder',
  missingImage: 'image file not found',
  unreadableImage: 'image file corrupt, truncated, too large or no image',
  annotationOfDropped: 'annotation of an image or category that was dropped',
  severalFrames: 'image file of several frames or pages: the first was taken',
  sizeMismatch: 'size given for the image is not that of the file',
  rotatedImage: 'annotated before EXIF rotation: boxes were turned with the image',
  unlistedImage: 'image file that no image entry mentions',
} as const;

export type ProblemKind = keyof typeof PROBLEMS;

/** Remedies for problems whose text does not already say what to do. */
const REMEDIES: Partial<Record<ProblemKind, string>> = {
  malformedImage: 'Give every image an id (an integer or text) and a file_name.',
  malformedCategory: 'Give every category an id (an integer or text) and a name.',
  malformedAnnotation: 'Give every annotation a bbox [x, y, width, height], or polygons or RLE as its segmentation.',
  duplicateImageId:
    'Give every image an id of its own, and its annotations the same; exports put together need new ids.',
  duplicateCategoryId: 'Give every category an id of its own, and its annotations the same.',
  unknownImage: 'image_id of an annotation must be the id of an entry of images.',
  unknownCategory: 'category_id of an annotation must be the id of an entry of categories.',
  nonFiniteBox: 'Write finite numbers as bbox.',
  negativeBox: 'bbox is [x, y, width, height], not two corners.',
  emptyBox: 'bbox is [x, y, width, height] in pixels with both sizes above 0.',
  relativeBox:
    'bbox is [x, y, width, height] in pixels, x and y of the corner. Multiply by width and height of the image.',
  boxClipped:
    'Where there are many, bbox may hold two corners instead of [x, y, width, height], or be of another size.',
  boxOutside: 'bbox is in pixels of the image, not a share of its sides or of another size of it.',
  ambiguousName: 'Write file names relative to the images folder, with their sub-folders.',
  sizeMismatch:
    'Boxes are taken as pixels of the file: where images were resized after they were annotated, scale the boxes too.',
  unsafePath: 'Write file names relative to the images folder, or give the folder that holds these files.',
  missingImage: 'Write file names relative to the images folder, or give the folder that holds these files.',
};

export interface ValidationItem {
  kind: ProblemKind;
  /** The entry, as a path in the annotation file (`annotations[3]`) with its file name or id. */
  where: string;
  /** `noted`: used unchanged. */
  action: 'dropped' | 'fixed' | 'noted';
  detail: string;
  /** Category of a dropped annotation, if known. */
  category?: string;
}

/** All problems of a dataset, and how they were handled. */
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

  dropped(kind: ProblemKind, where: string, detail = '', category?: string): void {
    this.#add({ kind, where, action: 'dropped', detail, ...(category !== undefined && { category }) });
  }

  fixed(kind: ProblemKind, where: string, detail = ''): void {
    this.#add({ kind, where, action: 'fixed', detail });
  }

  noted(kind: ProblemKind, where: string, detail = ''): void {
    this.#add({ kind, where, action: 'noted', detail });
  }

  /** Counts problems that are not listed individually. */
  count(kind: ProblemKind, times = 1): void {
    this.report.counts[kind] += times;
  }

  #add(item: ValidationItem): void {
    this.count(item.kind);
    this.report.items.push(item);
  }
}

/** The most common problem of some items. */
export interface Cause {
  kind: ProblemKind;
  /** The first item with it. */
  example: ValidationItem;
  /** `12 × problem: example, detail`, for people. */
  text: string;
  /** What to do about it; empty if the problem says it. */
  remedy: string;
}

/**
 * The most common cause among dropped items, or among all items if none was dropped, distinguished by kind and, for
 * unreadable files, by the decoder's reason. For annotations dropped with their image or category, the cause of that is
 * looked up in `all`.
 */
export function commonestCause(
  items: readonly ValidationItem[],
  all: readonly ValidationItem[] = [],
): Cause | undefined {
  const groups = new Map<string, ValidationItem[]>();
  const dropped = items.filter(({ action }) => action === 'dropped');
  for (const item of dropped.length > 0 ? dropped : items) {
    const key = item.kind === 'unreadableImage' ? `${item.kind} ${item.detail}` : item.kind;
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  const [first, ...rest] = groups.values();
  if (!first) return undefined;
  const largest = rest.reduce((best, group) => (group.length > best.length ? group : best), first);
  const [example] = largest;
  const { kind } = example;
  const text = `${largest.length} × ${PROBLEMS[kind]}: ${[example.where, example.detail].filter(Boolean).join(', ')}`;
  const root = kind === 'annotationOfDropped' ? commonestCause(all.filter((item) => !isOfAnnotation(item))) : undefined;
  return {
    kind,
    example,
    text: [text, root?.text].filter(Boolean).join('; ').replace(/\.$/, ''),
    remedy: root?.remedy ?? REMEDIES[kind] ?? '',
  };
}

const isOfAnnotation = ({ where }: ValidationItem): boolean => where.startsWith('annotations[');

/** Formats the report for people: a line per kind with a few of its items and the remedy. Empty without problems. */
export function describeReport({ counts, items }: ValidationReport, perKind = 3): string[] {
  const kinds = (Object.keys(PROBLEMS) as ProblemKind[]).filter((kind) => counts[kind] > 0);
  return kinds.flatMap((kind) => {
    const own = items.filter((item) => item.kind === kind);
    const shown = differentFirst(own)
      .slice(0, perKind)
      .map((item) => `    ${[item.where, item.action, item.detail].filter(Boolean).join(', ')}`);
    const rest = own.length > perKind ? [`    … and ${own.length - perKind} more`] : [];
    const remedy = REMEDIES[kind];
    return [`  ${counts[kind]} × ${PROBLEMS[kind]}`, ...shown, ...rest, ...(remedy ? [`    ${remedy}`] : [])];
  });
}

/** Lists items with different details first, so that three files with one reason do not hide a fourth with another. */
function differentFirst(items: readonly ValidationItem[]): ValidationItem[] {
  const seen = new Set<string>();
  const repeated: ValidationItem[] = [];
  const different = items.filter((item) => {
    if (!seen.has(item.detail)) return seen.add(item.detail);
    repeated.push(item);
    return false;
  });
  return [...different, ...repeated];
}
