import { PickledObject, TorchTensor } from './torch_pickle.js';

/** Deepest nesting of objects to search. */
const MAX_DEPTH = 10;

/** Tensors by name, and their path in the checkpoint: `model`, `callbacks.EMA.state`, empty for the whole. */
export interface PickledState {
  path: string;
  tensors: Map<string, TorchTensor>;
}

/**
 * Finds the dictionaries of named tensors in a pickled object, and modules, whose tensors get the names of a state
 * dict.
 */
export function findStateDicts(root: unknown): PickledState[] {
  const found: PickledState[] = [];
  const seen = new Set<unknown>();
  const visit = (value: unknown, path: readonly string[]): void => {
    const entries = entriesOf(value);
    if (entries === undefined || seen.has(value) || path.length > MAX_DEPTH) return;
    seen.add(value);
    const tensors = isModule(entries) ? tensorsOfModule(entries, []) : tensorsIn(entries, []);
    if (tensors.length > 0) found.push({ path: path.join('.'), tensors: new Map(tensors) });
    if (isModule(entries)) return;
    for (const [key, child] of entries) visit(child, [...path, String(key)]);
  };
  visit(root, []);
  return found;
}

type Entries = ReadonlyMap<unknown, unknown>;

function entriesOf(value: unknown): Entries | undefined {
  if (value instanceof Map) return value;
  if (value instanceof PickledObject) return value.entries;
  return Array.isArray(value) ? new Map(value.entries()) : undefined;
}

/** Whether an object has the attributes in which an nn.Module keeps its tensors and children. */
const isModule = (entries: Entries): boolean => entries.has('_parameters') && entries.has('_modules');

function tensorsIn(entries: Entries | undefined, path: readonly string[]): [string, TorchTensor][] {
  return [...(entries ?? [])].flatMap(([name, value]): [string, TorchTensor][] =>
    value instanceof TorchTensor ? [[[...path, String(name)].join('.'), value]] : [],
  );
}

function tensorsOfModule(entries: Entries, path: readonly string[]): [string, TorchTensor][] {
  if (path.length > MAX_DEPTH) return [];
  const own = ['_parameters', '_buffers'].flatMap((key) => tensorsIn(entriesOf(entries.get(key)), path));
  const children = [...(entriesOf(entries.get('_modules')) ?? [])].flatMap(([name, child]) =>
    tensorsOfModule(entriesOf(child) ?? new Map(), [...path, String(name)]),
  );
  return [...own, ...children];
}
