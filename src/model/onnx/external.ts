import { open } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { UserError } from '../../base/errors.js';
import { EXTERNAL, type OnnxModel, type OnnxTensor } from './schema.js';

/**
 * Loads values that a model stores in external files into its tensors. `path` is that of the model.
 * @returns whether there were external values
 * @throws UserError for a file that is missing, too short, or outside the model's folder
 */
export async function inlineExternal(model: OnnxModel, path: string): Promise<boolean> {
  const constants = model.graph.node.flatMap(({ attribute }) => attribute.flatMap(({ t }) => (t ? [t] : [])));
  const outside = [...model.graph.initializer, ...constants].filter(({ dataLocation }) => dataLocation === EXTERNAL);
  for (const tensor of outside) {
    tensor.rawData = await readRange(tensor, path);
    tensor.dataLocation = undefined;
    tensor.externalData = undefined;
  }
  return outside.length > 0;
}

async function readRange({ name, externalData }: OnnxTensor, path: string): Promise<Uint8Array> {
  const {
    location = '',
    offset = '0',
    length,
  } = Object.fromEntries((externalData ?? []).map(({ key, value }) => [key, value]));
  const fail = (expected: string, received: unknown, hint?: string, cause?: unknown) =>
    new UserError({ where: path, field: `tensor ${name}`, expected, received, hint }, { cause });
  if (location === '' || isAbsolute(location) || normalize(location).startsWith('..')) {
    throw fail("values in a file in the model's folder", location);
  }
  const beside = join(dirname(path), location);
  const hint = 'A model with external data is several files: keep them together.';
  const file = await open(beside).catch((error: NodeJS.ErrnoException) => {
    throw fail(`a readable file ${beside}`, error.code, hint, error);
  });
  try {
    const { size } = await file.stat();
    const start = Number(offset);
    const end = length === undefined ? size : start + Number(length);
    if (!(start >= 0 && start <= end && end <= size)) {
      throw fail(`bytes ${start} to ${end} of ${beside}`, `a file of ${size} bytes`, hint);
    }
    const bytes = new Uint8Array(end - start);
    await file.read(bytes, 0, bytes.length, start);
    return bytes;
  } finally {
    await file.close();
  }
}
