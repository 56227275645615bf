import { BufferReader, Parser } from 'pickleparser';
import type { Dtype } from './dtype.js';

/** Storage classes of torch and their number types. */
const STORAGES = {
  FloatStorage: 'F32',
  DoubleStorage: 'F64',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ByteStorage: 'U8',
  BoolStorage: 'U8',
} as const satisfies Record<string, Dtype>;

/** A flat array in the checkpoint, of which tensors are views; its bytes are outside the pickle. */
export interface Storage {
  key: string;
  /** Undefined for unsupported storage classes, e.g. quantised ones. */
  dtype: Dtype | undefined;
  /** Number of values. */
  length: number;
}

/** A tensor as the pickle describes it: a strided view of a storage, in values. Later opcodes cannot change it. */
export class TorchTensor {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly stride: readonly number[];

  constructor(storage: Storage, offset: number, shape: readonly number[], stride: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = [...shape];
    this.stride = [...stride];
    Object.freeze(this);
  }
}

/** An object of an unknown class, with its data but none of its behaviour. */
export class PickledObject {
  /** Its class, `module.name`. */
  readonly type: string;
  /** Items of a dictionary, then attributes. */
  readonly entries = new Map<unknown, unknown>();

  constructor(type: string) {
    this.type = type;
  }

  __setstate__(state: unknown): void {
    // Attributes come as a dictionary, or beside the slots of the class.
    for (const part of Array.isArray(state) ? state : [state]) {
      if (part instanceof Map) for (const [key, value] of part) this.entries.set(key, value);
    }
  }

  __setnewargs_ex__(): void {}

  set(key: unknown, value: unknown): void {
    this.entries.set(key, value);
  }

  push(): void {}
  add(): void {}
}

type Callable = (...args: never[]) => unknown;

/**
 * Unpickles torch objects one after another. Never runs code named in a pickle: tensors, storages and plain containers
 * become the types here, and every other class or function becomes an inert object.
 */
export class TorchUnpickler {
  /** Every storage referenced so far, by key. */
  readonly storages = new Map<string, Storage>();
  readonly #reader: BufferReader;
  readonly #parser: Parser;
  readonly #storageDtypes = new Map<unknown, Dtype>();
  readonly #known = new Map<string, Callable>([
    ['collections.OrderedDict', makeMap],
    ['torch._utils._rebuild_tensor', rebuildTensor],
    ['torch._utils._rebuild_tensor_v2', rebuildTensor],
    ['torch._utils._rebuild_parameter', first],
    ['torch._utils._rebuild_parameter_with_state', first],
    ['torch.Size', first],
    // A tensor with attributes of its own: how to build it, its type, the arguments.
    ['torch._tensor._rebuild_from_type_v2', (build: Callable, _: unknown, args: never[]) => build(...args)],
  ]);
  readonly #objects = new Map<string, Callable>();

  constructor(bytes: Uint8Array) {
    this.#reader = new BufferReader(bytes);
    for (const [name, dtype] of Object.entries(STORAGES)) {
      const type = () => new PickledObject(name);
      this.#storageDtypes.set(type, dtype);
      this.#known.set(`torch.${name}`, type);
    }
    this.#parser = new Parser({
      unpicklingTypeOfDictionary: 'Map',
      nameResolver: { resolve: (module, name) => this.#resolve(`${module}.${name}`) as () => unknown },
      // A persistent id is a tuple here, although the package types it as text.
      persistentResolver: { resolve: (id: unknown) => this.#storage(id) },
    });
  }

  /** Position of the next byte. */
  get position(): number {
    return this.#reader.position;
  }

  /**
   * Reads the next object of the stream.
   * @throws Error if the pickle is damaged
   */
  next(): unknown {
    return this.#parser.read(this.#reader);
  }

  /** Resolves a name to a function that also works as a constructor, because the unpickler calls it either way. */
  #resolve(name: string): Callable {
    const known = this.#known.get(name) ?? this.#objects.get(name);
    if (known !== undefined) return known;
    const make = Object.freeze(function make(): PickledObject {
      return new PickledObject(name);
    });
    this.#objects.set(name, make);
    return make;
  }

  #storage(id: unknown): Storage {
    const [tag, type, key, , length, view] = Array.isArray(id) ? id : [];
    if (tag !== 'storage' || typeof key !== 'string' || !isSize(length) || view) {
      throw new Error('a persistent id that is not a torch storage');
    }
    const storage = this.storages.get(key) ?? Object.freeze({ key, dtype: this.#storageDtypes.get(type), length });
    this.storages.set(key, storage);
    return storage;
  }
}

/** Creates an ordered dictionary, from pairs if given. */
function makeMap(pairs: unknown = []): Map<unknown, unknown> {
  return new Map(Array.isArray(pairs) ? (pairs as [unknown, unknown][]) : []);
}

const first = (value: unknown): unknown => value;

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const rebuildTensor = Object.freeze(
  (storage: Storage, offset: number, shape: number[], stride: number[]): TorchTensor => {
    const sizes = [shape, stride].every((list) => Array.isArray(list) && list.every(isSize));
    if (typeof storage?.key !== 'string' || !isSize(offset) || !sizes || shape.length !== stride.length) {
      throw new Error('a tensor without a valid storage, offset, shape and stride');
    }
    const values = shape.reduce((a, b) => a * b, 1);
    const last = shape.reduce((sum, side, i) => sum + (side - 1) * stride[i], offset);
    // An expanded view (stride 0) could request any amount of memory; weights are never expanded.
    if (values > storage.length || (values > 0 && last >= storage.length)) {
      throw new Error(`a tensor of shape [${shape}] outside its storage of ${storage.length} values`);
    }
    return new TorchTensor(storage, offset, shape, stride);
  },
);
