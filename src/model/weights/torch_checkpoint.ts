import { buffer } from 'node:stream/consumers';
import yauzl from 'yauzl';
import { messageOf, UserError } from '../../base/errors.js';
import { ITEM_BYTES, toFloat32 } from './dtype.js';
import { type Storage, TorchTensor, TorchUnpickler } from './torch_pickle.js';
import { elements, sameShape, type Weights } from './weights.js';

/** First pickle of a checkpoint written before torch 1.6: a magic number of ten bytes. */
const LEGACY_MAGIC = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex');

const ZIP_MAGIC = Buffer.from('PK\x03\x04');

/** A checkpoint opened: the pickled object and how to get at the bytes of its storages. */
interface Container {
  root: unknown;
  read(storage: Storage): Promise<Uint8Array>;
}

/**
 * Reads the state dict of a torch checkpoint, in the zip format or that of torch before 1.6: bare, under `model`
 * (Megvii) or under `state_dict` (mmdetection). Every tensor comes as float32 under its own name without `module.`
 * prefixes. UserError (naming `where`) when the file is damaged or holds no state dict.
 */
export async function parseTorchCheckpoint(file: Buffer, where: string): Promise<Weights> {
  try {
    return await readState(startsWith(file, LEGACY_MAGIC) ? openLegacy(file) : await openZip(file), where);
  } catch (error) {
    if (error instanceof UserError) throw error;
    const hint = 'Download or copy the file again.';
    throw new UserError(
      { where, expected: 'a sound torch checkpoint', reason: messageOf(error), hint },
      { cause: error },
    );
  }
}

export const isTorchCheckpoint = (file: Buffer): boolean =>
  startsWith(file, ZIP_MAGIC) || startsWith(file, LEGACY_MAGIC);

const startsWith = (file: Buffer, magic: Buffer): boolean => file.subarray(0, magic.length).equals(magic);

/** A zip of `NAME/data.pkl`, `NAME/byteorder` and one stored file `NAME/data/KEY` per storage. */
async function openZip(file: Buffer): Promise<Container> {
  const zip = await yauzl.fromBufferPromise(file);
  const entries = new Map<string, yauzl.Entry>();
  for await (const entry of zip.eachEntry()) entries.set(entry.fileName.replace(/^[^/]*\//, ''), entry);
  const read = async (name: string): Promise<Buffer> => {
    const entry = entries.get(name);
    if (entry === undefined) throw new Error(`an archive without ${name}`);
    // Torch stores its entries, so a size can never exceed the file's.
    if (entry.compressionMethod !== 0) throw new Error(`${name} compressed`);
    return buffer(await zip.openReadStreamPromise(entry));
  };
  if (entries.has('byteorder')) assertLittleEndian((await read('byteorder')).toString() === 'little');
  return { root: new TorchUnpickler(await read('data.pkl')).next(), read: ({ key }) => read(`data/${key}`) };
}

/** A row of pickles (magic, version, system, object, storage keys), then each storage: int64 length, values. */
function openLegacy(file: Buffer): Container {
  const pickles = new TorchUnpickler(file.subarray(LEGACY_MAGIC.length));
  pickles.next();
  const system = pickles.next();
  assertLittleEndian(system instanceof Map && system.get('little_endian') === true);
  const root = pickles.next();
  const keys = pickles.next();
  if (!Array.isArray(keys)) throw new Error('no list of storages');
  const storages = new Map<string, Uint8Array>();
  let position = LEGACY_MAGIC.length + pickles.position;
  for (const key of keys) {
    const storage = pickles.storages.get(key);
    if (storage?.dtype === undefined) throw new Error(`storage ${key} of an unknown type`);
    const start = position + 8;
    position = start + Number(file.readBigInt64LE(position)) * ITEM_BYTES[storage.dtype];
    storages.set(key, file.subarray(start, position));
  }
  return { root, read: async ({ key }) => storages.get(key) ?? new Uint8Array() };
}

function assertLittleEndian(little: boolean): void {
  if (!little) throw new Error('big-endian numbers');
}

async function readState({ root, read }: Container, where: string): Promise<Weights> {
  const values = new Map<string, Float32Array>();
  const state: Weights = new Map();
  for (const [name, tensor] of stateDict(root, where)) {
    if (!(tensor instanceof TorchTensor)) continue;
    const { storage, shape } = tensor;
    let flat = values.get(storage.key);
    if (flat === undefined) {
      flat = valuesOf(storage, await read(storage));
      values.set(storage.key, flat);
    }
    state.set(String(name).replace(/^(module\.)+/, ''), { shape: [...shape], data: gather(tensor, flat) });
  }
  return state;
}

/** The map of tensors in the pickled object. mmdetection evaluates `state_dict`, not its EMA bookkeeping beside it. */
function stateDict(root: unknown, where: string): Map<unknown, unknown> {
  const candidates = root instanceof Map ? [root.get('model'), root.get('state_dict'), root] : [];
  const isState = (value: unknown): value is Map<unknown, unknown> =>
    value instanceof Map && [...value.values()].some((item) => item instanceof TorchTensor);
  const found = candidates.find(isState);
  if (found !== undefined) return found;
  throw new UserError({
    where,
    expected: 'a state dict, alone or under "model" or "state_dict"',
    received: root instanceof Map ? `keys ${[...root.keys()].join(', ')}` : 'a pickled object of another kind',
    hint: 'Save model.state_dict(), not the model.',
  });
}

function valuesOf({ key, dtype, length }: Storage, bytes: Uint8Array): Float32Array {
  if (dtype === undefined) throw new Error(`storage ${key} of an unknown type`);
  if (bytes.length === length * ITEM_BYTES[dtype]) return toFloat32(dtype, bytes);
  throw new Error(`${bytes.length} bytes for storage ${key} of ${length} × ${dtype}`);
}

/** The values of a strided view in row-major order. */
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
