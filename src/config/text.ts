import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Pair, parseDocument, Scalar } from 'yaml';
import { z } from 'zod';
import { childOf, isNullable, unwrap } from './keys.js';

/** Text that is not YAML. */
export class YamlError extends Error {
  override name = 'YamlError';
}

/** How YAML spells null. */
const NULL = /^(null|Null|NULL|~)$/;

/**
 * A value as written on the command line or in the environment. Where the schema wants text the text is the value,
 * whatever it looks like (`300`, `1.0`, `yes`), without quotes around it; `null` is null where the schema takes null.
 * Anything else is YAML: numbers, booleans, lists.
 *
 * @throws YamlError for text that is not YAML
 */
export function valueOfText(text: string, schema: z.core.$ZodType): unknown {
  if (wantsText(schema)) return isNullable(schema) && NULL.test(text) ? null : withoutQuotes(text);
  // YAML reads nothing as null; here it is a value that was forgotten.
  return text.trim() === '' ? text : valueOfYaml(text, schema);
}

/**
 * The value of a YAML document. Plain scalars stay as they are written where the schema wants text: `02146` keeps its
 * zero, `1.0` its point.
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
    // yaml's word for an alias to nothing, or to more than any file means.
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

/** Whether a value is text: a name, a path, a choice. */
export function wantsText(schema: z.core.$ZodType): boolean {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodUnion) return inner.options.every(wantsText);
  return inner instanceof z.ZodString || inner instanceof z.ZodStringFormat || inner instanceof z.ZodEnum;
}

/** What quotes enclose, read as YAML reads it; text without quotes around the whole of it as it is. */
function withoutQuotes(text: string): string {
  if (!/^(["']).*\1$/s.test(text)) return text;
  const { contents, errors } = parseDocument(text);
  return errors.length === 0 && isScalar(contents) && typeof contents.value === 'string' ? contents.value : text;
}
