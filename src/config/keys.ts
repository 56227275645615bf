import { z } from 'zod';
import { isRecord } from '../base/record.js';
import { configSchema } from './schema.js';

/** Paths of all keys that hold values: `train.optimizer.lr`. */
export const CONFIG_KEYS: readonly string[] = leaves(configSchema, []);

function leaves(schema: z.core.$ZodType, path: string[]): string[] {
  const inner = unwrap(schema);
  if (!(inner instanceof z.ZodObject)) return [path.join('.')];
  return Object.entries(inner.shape).flatMap(([key, value]) => leaves(value as z.core.$ZodType, [...path, key]));
}

/** Names of the keys an object at `path` may have. */
export function keysAt(path: readonly PropertyKey[]): string[] {
  const schema = schemaAt(path);
  const inner = schema && unwrap(schema);
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
}

/** The schema at a path, such as `['train', 'epochs']`; undefined for an unknown path. */
export function schemaAt(
  path: readonly PropertyKey[],
  root: z.core.$ZodType = configSchema,
): z.core.$ZodType | undefined {
  return path.reduce<z.core.$ZodType | undefined>((schema, key) => schema && childOf(schema, key), root);
}

/** The schema of a key of an object, or of an item of a list. */
export function childOf(schema: z.core.$ZodType, key: PropertyKey): z.core.$ZodType | undefined {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodObject) return Object.hasOwn(inner.shape, key) ? inner.shape[key as string] : undefined;
  if (inner instanceof z.ZodArray) return inner.element as z.core.$ZodType;
  return inner instanceof z.ZodTuple ? inner.def.items[Number(key)] : undefined;
}

/** The inner schema, without defaults, null, and transformations before or after the check. */
export function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodPipe) return unwrap(schema.in instanceof z.ZodTransform ? schema.out : schema.in);
  return isWrapped(schema) ? unwrap(schema.def.innerType) : schema;
}

/** Whether a schema accepts null. */
export function isNullable(schema: z.core.$ZodType): boolean {
  return schema instanceof z.ZodNullable || (isWrapped(schema) && isNullable(schema.def.innerType));
}

function isWrapped(schema: z.core.$ZodType): schema is z.ZodDefault | z.ZodPrefault | z.ZodNullable | z.ZodOptional {
  return (
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodOptional
  );
}

/** Environment variable of a key: `train.optimizer.weightDecay` → `YOLOX_TRAIN_OPTIMIZER_WEIGHT_DECAY`. */
export const environmentName = (key: string): string =>
  `YOLOX_${key.replace(/[A-Z]/g, '_$&').replaceAll('.', '_').toUpperCase()}`;

/** Secret keys, whose values never appear in messages or files. */
const SECRET_KEYS: readonly string[] = ['serve.apiKeys', 'serve.adminToken'];

/** Whether a path is a secret key or lies below one. */
export const isSecret = (path: readonly PropertyKey[]): boolean =>
  SECRET_KEYS.some((key) => key === path.slice(0, key.split('.').length).join('.'));

/** A copy of the tree with `[secret]` in place of every secret. */
export function withoutSecrets<T>(tree: T, path: readonly string[] = []): T {
  if (isSecret(path)) return '[secret]' as T;
  if (!isRecord(tree)) return tree;
  return Object.fromEntries(
    Object.entries(tree).map(([key, value]) => [key, withoutSecrets(value, [...path, key])]),
  ) as T;
}
