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
  const schema = schemaAt(path);
  const inner = schema && unwrap(schema);
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
}

/** The schema of a value, `['train', 'epochs']`; undefined where there is none. */
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

/** What a schema asks for below defaults, null, and changes before or after the check. */
export function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodPipe) return unwrap(schema.in instanceof z.ZodTransform ? schema.out : schema.in);
  return isWrapped(schema) ? unwrap(schema.def.innerType) : schema;
}

/** Whether null is a value of its own. */
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
