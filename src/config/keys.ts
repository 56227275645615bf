import { z } from 'zod';
import { configSchema } from './schema.js';

/** Keys of a configuration object that hold values, as paths: `train.optimizer.lr`. */
export const CONFIG_KEYS: readonly string[] = leaves(configSchema, []);

function leaves(schema: z.core.$ZodType, path: string[]): string[] {
  const inner = unwrap(schema);
  if (!(inner instanceof z.ZodObject)) return [path.join('.')];
  return Object.entries(inner.shape).flatMap(([key, value]) => leaves(value as z.core.$ZodType, [...path, key]));
}

/** Names of the keys an object at `path` may have. */
export function keysAt(path: readonly PropertyKey[]): string[] {
  let schema = unwrap(configSchema);
  for (const key of path) {
    if (!(schema instanceof z.ZodObject)) return [];
    schema = unwrap(schema.shape[key as string]);
  }
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  const wrapped = schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodNullable;
  return wrapped ? unwrap(schema.def.innerType) : schema;
}

/** Environment variable of a key: `train.optimizer.weightDecay` → `YOLOX_TRAIN_OPTIMIZER_WEIGHT_DECAY`. */
export const environmentName = (key: string): string =>
  `YOLOX_${key.replace(/[A-Z]/g, '_$&').replaceAll('.', '_').toUpperCase()}`;

/** Keys whose values are for nobody's eyes: neither messages nor files show them. */
const SECRET_KEYS: readonly string[] = ['serve.apiKeys', 'serve.adminToken'];

/** Whether a path lies at or below a key with secrets. */
export const isSecret = (path: readonly PropertyKey[]): boolean =>
  SECRET_KEYS.some((key) => key === path.slice(0, key.split('.').length).join('.'));

/** The same tree with every secret replaced by a mark. */
export function withoutSecrets<T>(tree: T, path: readonly string[] = []): T {
  if (isSecret(path)) return '[secret]' as T;
  if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) return tree;
  return Object.fromEntries(
    Object.entries(tree).map(([key, value]) => [key, withoutSecrets(value, [...path, key])]),
  ) as T;
}
