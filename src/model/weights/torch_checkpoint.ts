import { messageOf, UserError } from '../../base/errors.js';
import { openZip } from '../../base/zip.js';
import { ITEM_BYTES, toFloat32 } from './dtype.js';
import { recogniseZip } from './other_formats.js';
import type { StateDict, StoredTensor } from './state_dict.js';
import { findStateDicts } from './torch_objects.js';
import { PickledObject, type Storage, type TorchTensor, TorchUnpickler } from './torch_pickle.js';
import { elements, sameShape } from './weights.js';

/** First pickle of a checkpoint from before torch 1.6: a magic number of ten bytes. */
const LEGACY_MAGIC = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex');

const ZIP_MAGIC = Buffer.from('PK\x03\x04');

/** An opened checkpoint: the pickled object, and a way to read the bytes of its storages. */
interface Container {
  root: unknown;
  bigEndian: boolean;
  read(storage: Storage): Promise<Uint8Array>;
}

/**
 * Finds the state dicts of a torch checkpoint, in the zip format or that from before torch 1.6, wherever they are,
 * including those of pickled modules. Tensors are read on demand.
 * @throws UserError naming `where` if the file is damaged or contains none
 */
export async function parseTorchCheckpoint(file: Buffer, where: string): Promise<StateDict[]> {
  const { root, read, bigEndian } = await sound(where, () =>
    startsWith(file, LEGACY_MAGIC) ? openLegacy(file) : openTorchZip(file, where),
  );
  const values = new Map<string, Promise<Float32Array>>();
  const flatOf = (storage: Storage): Promise<Float32Array> => {
    const known = values.get(storage.key) ?? read(storage).then((bytes) => valuesOf(storage, bytes, bigEndian));
    values.set(storage.key, known);
    return known;
  };
  const found = findStateDicts(root).map(({ path, tensors }): StateDict => {
    const stored = [...tensors].map(([name, tensor]): [string, StoredTensor] => {
      const { storage, shape } = tensor;
      const load = async () => ({ shape: [...shape], data: gather(tensor, await flatOf(storage)) });
      return [name, { dtype: storage.dtype ?? 'a type not read here', read: () => sound(where, load) }];
    });
    return { path, tensors: new Map(stored) };
  });
  if (found.length > 0) return found;
  throw new UserError({
    where,
    expected: 'a checkpoint with the tensors of a network by name',
    received: describeRoot(root),
    hint: 'Save model.state_dict().',
  });
}

/** Runs `work`; any error in it means that the file is damaged. */
async function sound<T>(where: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UserError) throw error;
    const hint = 'Download or copy the file again.';
    throw new UserError(
      { where, expected: 'a valid torch checkpoint', reason: messageOf(error), hint },
      { cause: error },
    );
  }
}

function describeRoot(root: unknown): string {
  if (root instanceof Map) return `keys ${[...root.keys()].join(', ')}`;
  return root instanceof PickledObject ? `an object of ${root.type}` : 'a pickled object of another kind';
}

export const isTorchCheckpoint = (file: Buffer): boolean =>
  startsWith(file, ZIP_MAGIC) || startsWith(file, LEGACY_MAGIC);

const startsWith = (file: Buffer, magic: Buffer): boolean => file.subarray(0, magic.length).equals(magic);

/** Opens a zip of `NAME/data.pkl`, `NAME/byteorder` and one stored file `NAME/data/KEY` per storage. */
async function openTorchZip(file: Buffer, where: string): Promise<Container> {
  const zip = await openZip(file, where);
  const names = [...zip.entries.keys()];
  refuseOtherZip(names, where);
  const folder = names.find((name) => /^[^/]*\/data\.pkl$/.test(name))?.split('/')[0];
  const read = async (name: string): Promise<Buffer> => {
    const path = `${folder}/${name}`;
    // Torch does not compress its entries, so no size can exceed the file's.
    if (zip.entries.get(path)?.compressionMethod) throw new Error(`${name} compressed`);
    return zip.read(path);
  };
  const bigEndian = names.includes(`${folder}/byteorder`) && (await read('byteorder')).toString() === 'big';
  const root = new TorchUnpickler(await read('data.pkl')).next();
  return { root, bigEndian, read: ({ key }) => read(`data/${key}`) };
}

/** @throws UserError for an archive not written by torch, or one that contains a program, not only weights */
function refuseOtherZip(names: readonly string[], where: string): void {
  const expected = 'a torch checkpoint';
  const has = (name: string) => names.some((one) => one.endsWith(`/${name}`));
  if (has('data.pkl') && has('constants.pkl')) {
    const hint = 'Save model.state_dict() of the original model.';
    throw new UserError({ where, expected, reason: 'it is a model of TorchScript', hint });
  }
  if (has('data.pkl')) return;
  const { what, hint } = recogniseZip(names);
  throw new UserError({ where, expected, reason: `it is ${what}`, hint });
}

/**
 * Opens a sequence of pickles (magic, version, system, object, storage keys), followed by each storage: int64 length,
 * values.
 */
function openLegacy(file: Buffer): Container {
  const pickles = new TorchUnpickler(file.subarray(LEGACY_MAGIC.length));
  pickles.next();
  const system = pickles.next();
  const bigEndian = system instanceof Map && system.get('little_endian') === false;
  const root = pickles.next();
  const keys = pickles.next();
  if (!Array.isArray(keys)) throw new Error('no list of storages');
  const storages = new Map<string, Uint8Array>();
  let position = LEGACY_MAGIC.length + pickles.position;
  for (const key of keys) {
    const storage = pickles.storages.get(key);
    if (storage?.dtype === undefined) throw new Error(`storage ${key} of an unknown type`);
    const start = position + 8;
    const length = bigEndian ? file.readBigInt64BE(position) : file.readBigInt64LE(position);
    position = start + Number(length) * ITEM_BYTES[storage.dtype];
    storages.set(key, file.subarray(start, position));
  }
  return { root, bigEndian, read: async ({ key }) => storages.get(key) ?? new Uint8Array() };
}

function valuesOf({ key, dtype, length }: Storage, bytes: Uint8Array, bigEndian: boolean): Float32Array {
  if (dtype === undefined) throw new Error(`storage ${key} of an unknown type`);
  if (bytes.length === length * ITEM_BYTES[dtype]) return toFloat32(dtype, bytes, bigEndian);
  throw new Error(`${bytes.length} bytes for storage ${key} of ${length} × ${dtype}`);
}

/** Returns the values of a strided view in row-major order. */
function gather({ offset, shape, stride }: TorchTensor, flat: Float32Array): Float32Array {
  const rowMajor = shape.map((_, axis) => elements(shape.slice(axis + 1)));
  if (sameShape(stride, rowMajor)) return flat.slice(offset, offset + elements(shape));
  const out = new Float32Array(elements(shape));
  let next = 0;
  const visit = (axis: number, from: number): void => {
    if (axis === shape.length) out[next++] = flat[from];
    else for (let i = 0; i < shape[axis]; i++) visit(axis + 1, from + i * stride[axis]);
  };
  visit(0, offset);
  return out;
}
