import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Pair, parseDocument, Scalar } from 'yaml';
import { z } from 'zod';
import { childOf, isNullable, unwrap } from './keys.js';

/** Thrown for text that is not YAML. */
export class YamlError extends Error {
  override name = 'YamlError';
}

/** Spellings of null in YAML. */
const NULL = /^(null|Null|NULL|~)$/;

/**
 * Reads a value from the command line or the environment. If the schema expects text, the text itself is the value,
 * whatever it looks like (`300`, `1.0`, `yes`), without enclosing quotes; `null` is null if the schema accepts it.
 * Everything else is parsed as YAML: numbers, booleans, lists.
 *
 * @throws YamlError for text that is not YAML
 */
export function valueOfText(text: string, schema: z.core.$ZodType): unknown {
  if (wantsText(schema)) return isNullable(schema) && NULL.test(text) ? null : withoutQuotes(text);
  // YAML reads empty text as null; here the user forgot the value.
  return text.trim() === '' ? text : valueOfYaml(text, schema);
}

/**
 * Parses a YAML document. Plain scalars stay as written if the schema expects text: `02146` keeps its zero and `1.0`
 * its decimal point.
 *
 * @throws YamlError for text that is not YAML, or uses a key twice, an unknown tag or an unknown alias
 */
export function valueOfYaml(text: string, schema: z.core.$ZodType): unknown {
  const document = parseDocument(text);
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) throw new YamlError(problem.message.split('\n')[0]);
  try {
    return valueOfNode(document.contents, schema, document);
  } catch (error) {
    // The yaml package throws this for an unknown alias and for excessive alias expansion.
    if (error instanceof ReferenceError) throw new YamlError(error.message, { cause: error });
    throw error;
  }
}

function valueOfNode(node: unknown, schema: z.core.$ZodType | undefined, document: Document): unknown {
  const resolved = isAlias(node) ? node.resolve(document) : (node as Node | null);
  if (isAlias(node) && !resolved) throw new YamlError(`Unresolved alias: ${node.source}`);
  if (isScalar(resolved)) return scalar(resolved, schema);
  if (schema && isSeq(resolved)) {
    return resolved.items.map((item, i) => valueOfNode(item, childOf(schema, i), document));
  }
  if (schema && isMap(resolved)) {
    const entries = resolved.items.map(({ key, value }: Pair) => {
      const name = isScalar(key) ? (key.source ?? String(key.value)) : String(key);
      return [name, valueOfNode(value, childOf(schema, name), document)];
    });
    return Object.fromEntries(entries);
  }
  return resolved?.toJS(document) ?? null;
}

function scalar({ value, source, type }: Scalar, schema: z.core.$ZodType | undefined): unknown {
  const plain = type === Scalar.PLAIN && source !== undefined && source !== '' && typeof value !== 'string';
  if (!plain || !schema || !wantsText(schema)) return value;
  return value === null && isNullable(schema) ? null : source;
}

/** Whether a schema expects text: a name, a path or a choice. */
export function wantsText(schema: z.core.$ZodType): boolean {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodUnion) return inner.options.every(wantsText);
  return inner instanceof z.ZodString || inner instanceof z.ZodStringFormat || inner instanceof z.ZodEnum;
}

/** Unquotes text as YAML does; text that is not entirely quoted stays unchanged. */
function withoutQuotes(text: string): string {
  if (!/^(["']).*\1$/s.test(text)) return text;
  const { contents, errors } = parseDocument(text);
  return errors.length === 0 && isScalar(contents) && typeof contents.value === 'string' ? contents.value : text;
}
