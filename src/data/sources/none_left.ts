import { describeValue, UserError } from '../../base/errors.js';
import type { ListedImage } from '../coco/images.js';
import { commonestCause, type Validation } from '../validation.js';
import { type ImageFiles, isImageName } from './image_files.js';

/** Error if every entry of a list was dropped. */
export function noneLeft(where: string, field: string, entries: readonly unknown[], { report }: Validation): UserError {
  const own = report.items.filter((item) => item.where.startsWith(`${field}[`));
  const cause = commonestCause(own, report.items);
  return new UserError({
    where,
    field,
    expected: 'at least one usable entry',
    received: `none of ${entries.length}`,
    reason: cause?.text,
    hint: cause?.remedy,
  });
}

/** Error if no listed image has a usable file. */
export function noImage(
  where: string,
  listed: readonly ListedImage[],
  files: ImageFiles,
  { report }: Validation,
): UserError {
  const cause = commonestCause(report.items.filter((item) => item.where.startsWith('images[')));
  const named = listed.find((image) => image.where === cause?.example.where)?.file_name;
  const there = files.names.find(isImageName) ?? files.names[0];
  const found = there === undefined ? 'holds no file' : `has files like ${describeValue(there)}`;
  const names = `The names are like ${describeValue(named)}; ${files.where} ${found}.`;
  return new UserError({
    where,
    field: cause?.example.where,
    expected: 'at least one usable image',
    received: `none of ${listed.length}`,
    reason: cause?.text,
    hint: cause && [cause.kind === 'unreadableImage' ? '' : names, cause.remedy].join(' ').trim(),
  });
}
