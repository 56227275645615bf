import { UserError } from '../../base/errors.js';
import { isRecord } from '../../base/record.js';
import type { Box } from '../../detect/box.js';
import { LONG_ID, type SourceId, sourceId } from './ids.js';

/** One object in a list of a COCO file, with checked access to its fields. */
export class Entry {
  readonly #fields: Record<string, unknown>;

  /**
   * @param path name of the file
   * @param place path of the object inside it, `annotations[3]`
   */
  constructor(
    readonly path: string,
    readonly place: string,
    value: unknown,
  ) {
    if (!isRecord(value)) throw new UserError({ where: path, field: place, expected: 'an object', received: value });
    this.#fields = value;
  }

  /** File and place, for messages. */
  get where(): string {
    return `${this.path}: ${this.place}`;
  }

  raw(field: string): unknown {
    return this.#fields[field];
  }

  id(field: string): SourceId {
    return sourceId(this.raw(field)) ?? this.refuse(field, 'an integer of up to 64 bits, or text');
  }

  number(field: string): number {
    const value = this.raw(field);
    return Number.isFinite(value) ? (value as number) : this.refuse(field, 'a finite number');
  }

  box(): Box {
    const value = this.raw('bbox');
    if (Array.isArray(value) && value.length === 4 && value.every(Number.isFinite)) return value as Box;
    const hint =
      value === undefined && ['segmentation', 'keypoints'].some((field) => this.raw(field) !== undefined)
        ? 'These are metrics of boxes; masks and keypoints need their box beside them.'
        : undefined;
    return this.refuse('bbox', 'four finite numbers x, y, width, height', hint);
  }

  /** @throws UserError naming the field */
  refuse(field: string, expected: string, hint?: string): never {
    const value = this.raw(field);
    throw new UserError({
      where: this.path,
      field: `${this.place}.${field}`,
      expected,
      received: shown(value),
      hint,
    });
  }
}

function shown(value: unknown): unknown {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null, NaN or Infinity';
  return typeof value === 'string' && value.startsWith(LONG_ID) ? BigInt(value.slice(LONG_ID.length)) : value;
}

/** The objects of a list. @param list its name in the file; empty if the file itself is the list */
export function entriesOf(path: string, list: string, values: readonly unknown[]): Entry[] {
  return values.map((value, index) => new Entry(path, `${list}[${index}]`, value));
}
