import { join } from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { type BasicType, ByteWriter, parquetWriteRows } from 'hyparquet-writer';
import { messageOf, UserError } from '../base/errors.js';
import { makeDir, writeAtomic } from '../base/files.js';
import type { CocoAnnotation, CocoCategory, CocoDataset, StoredImage } from '../detect/coco.js';

interface Column {
  name: string;
  type: BasicType;
  nullable: boolean;
}

type Row = Record<string, unknown>;

const column = (name: string, type: BasicType, nullable = false): Column => ({ name, type, nullable });

/** One Parquet file per table; a box is four columns. */
const TABLES = {
  images: [
    column('id', 'INT64'),
    column('file_name', 'STRING'),
    column('width', 'INT32'),
    column('height', 'INT32'),
    column('sha256', 'STRING'),
  ],
  annotations: [
    column('id', 'INT64'),
    column('image_id', 'INT64'),
    column('category_id', 'INT64'),
    column('x', 'DOUBLE'),
    column('y', 'DOUBLE'),
    column('width', 'DOUBLE'),
    column('height', 'DOUBLE'),
    column('area', 'DOUBLE'),
    column('iscrowd', 'BOOLEAN'),
  ],
  categories: [
    column('id', 'INT64'),
    column('name', 'STRING'),
    column('supercategory', 'STRING', true),
    column('old_id', 'INT64', true),
  ],
} as const satisfies Record<string, readonly Column[]>;

/** Writes a dataset into `dir` as images.parquet, annotations.parquet and categories.parquet. */
export async function writeDataset(dir: string, dataset: CocoDataset<StoredImage>): Promise<void> {
  await makeDir(dir);
  await writeTable(dir, 'images', dataset.images);
  await writeTable(dir, 'annotations', dataset.annotations.map(flatten));
  await writeTable(dir, 'categories', dataset.categories);
}

/** Reads a dataset written by {@link writeDataset}. @throws UserError if a table is missing or damaged */
export async function readDataset(dir: string): Promise<CocoDataset<StoredImage>> {
  const images = (await readTable(dir, 'images')) as unknown as StoredImage[];
  const lost = images.find(({ sha256 }) => sha256 === undefined);
  if (lost) {
    const hint = 'Run data-load on this dataset first.';
    throw new UserError({ where: dir, field: lost.file_name, expected: 'an image in the store', hint });
  }
  return {
    images,
    annotations: (await readTable(dir, 'annotations')).map(unflatten),
    categories: (await readTable(dir, 'categories')) as unknown as CocoCategory[],
  };
}

function flatten({ bbox: [x, y, width, height], iscrowd, ...rest }: CocoAnnotation): Row {
  return { ...rest, x, y, width, height, iscrowd: iscrowd === 1 };
}

function unflatten({ x, y, width, height, iscrowd, ...rest }: Row): CocoAnnotation {
  return { ...rest, bbox: [x, y, width, height], iscrowd: iscrowd ? 1 : 0 } as CocoAnnotation;
}

async function writeTable(dir: string, table: keyof typeof TABLES, rows: readonly object[]): Promise<void> {
  const columns: readonly Column[] = TABLES[table];
  const writer = new ByteWriter();
  await parquetWriteRows({
    writer,
    columns: [...columns],
    rows: rows.map((row) => Object.fromEntries(columns.map((c) => [c.name, toParquet((row as Row)[c.name], c)]))),
  });
  await writeAtomic(join(dir, `${table}.parquet`), writer.getBytes());
}

async function readTable(dir: string, table: keyof typeof TABLES): Promise<Row[]> {
  const path = join(dir, `${table}.parquet`);
  try {
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(path) });
    return rows.map(fromParquet);
  } catch (error) {
    throw new UserError(
      { where: path, expected: `the ${table} table of a dataset`, reason: messageOf(error) },
      { cause: error },
    );
  }
}

/** INT64 columns are BigInt in the library and plain numbers here. */
function toParquet(value: unknown, { type }: Column): unknown {
  return type === 'INT64' && typeof value === 'number' ? BigInt(value) : (value ?? null);
}

function fromParquet(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row)
      .filter(([, value]) => value !== null && value !== undefined)
      .map(([name, value]) => [name, typeof value === 'bigint' ? Number(value) : value]),
  );
}
