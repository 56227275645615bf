import { buffer } from 'node:stream/consumers';
import yazl from 'yazl';

/** Pickles of protocol 2, put together opcode by opcode, as torch writes its checkpoints. */

const int32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
};

export const text = (value: string): Buffer =>
  Buffer.concat([Buffer.from('X'), int32(Buffer.byteLength(value)), Buffer.from(value)]);
export const integer = (value: number): Buffer => Buffer.concat([Buffer.from('J'), int32(value)]);
export const tuple = (...items: Buffer[]): Buffer => Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')]);
export const list = (...items: Buffer[]): Buffer => Buffer.concat([Buffer.from(']('), ...items, Buffer.from('e')]);
export const global = (module: string, name: string): Buffer => Buffer.from(`c${module}\n${name}\n`);
export const call = (callable: Buffer, ...args: Buffer[]): Buffer =>
  Buffer.concat([callable, tuple(...args), Buffer.from('R')]);
export const construct = (type: Buffer, state: Buffer): Buffer =>
  Buffer.concat([type, tuple(), Buffer.from('\x81', 'latin1'), state, Buffer.from('b')]);
export const dict = (entries: Record<string, Buffer>): Buffer =>
  Buffer.concat([
    Buffer.from('}('),
    ...Object.entries(entries).flatMap(([key, value]) => [text(key), value]),
    Buffer.from('u'),
  ]);
export const pickle = (value: Buffer): Buffer =>
  Buffer.concat([Buffer.from('\x80\x02', 'latin1'), value, Buffer.from('.')]);

export const storage = (type: string, key: string, length: number): Buffer =>
  Buffer.concat([
    tuple(text('storage'), global('torch', `${type}Storage`), text(key), text('cpu'), integer(length)),
    Buffer.from('Q'),
  ]);

/** A strided view of a storage; offset and strides in values. */
export const tensor = (source: Buffer, shape: number[], stride: number[], offset = 0): Buffer =>
  call(
    global('torch._utils', '_rebuild_tensor_v2'),
    source,
    integer(offset),
    tuple(...shape.map(integer)),
    tuple(...stride.map(integer)),
    Buffer.from('\x89', 'latin1'),
    call(global('collections', 'OrderedDict')),
  );

/** The zip format of torch ≥ 1.6. */
export async function zipCheckpoint(
  root: Buffer,
  storages: Record<string, Uint8Array>,
  byteorder: 'little' | 'big' = 'little',
): Promise<Buffer> {
  const zip = new yazl.ZipFile();
  const add = (name: string, bytes: Uint8Array) =>
    zip.addBuffer(Buffer.from(bytes), `archive/${name}`, { compress: false });
  add('data.pkl', pickle(root));
  add('byteorder', Buffer.from(byteorder));
  for (const [key, bytes] of Object.entries(storages)) add(`data/${key}`, bytes);
  zip.end();
  return buffer(zip.outputStream);
}

/** The format of torch before 1.6. */
export function legacyCheckpoint(
  root: Buffer,
  storages: Record<string, { length: number; bytes: Uint8Array }>,
  bigEndian = false,
): Buffer {
  const stored = Object.values(storages).flatMap(({ length, bytes }) => {
    const size = Buffer.alloc(8);
    if (bigEndian) size.writeBigInt64BE(BigInt(length));
    else size.writeBigInt64LE(BigInt(length));
    return [size, Buffer.from(bytes)];
  });
  return Buffer.concat([
    Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex'),
    pickle(integer(1001)),
    pickle(dict({ little_endian: Buffer.from(bigEndian ? '\x89' : '\x88', 'latin1') })),
    pickle(root),
    pickle(list(...Object.keys(storages).map(text))),
    ...stored,
  ]);
}

export const bytesOf = (data: ArrayBufferView): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
