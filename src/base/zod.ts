import { z } from 'zod';
import { isRecord } from './record.js';

/** Describes what a value must be: `a number from 0 to 1`, `a list of whole numbers above 0`, `sgd or adam`. */
export function expectedBy(schema: z.core.$ZodType): string {
  return inWords(z.toJSONSchema(schema, { unrepresentable: 'any' }) as JsonSchema);
}

/** Describes what an issue expects: in the schema's own words if it has some, else from the schema at its path. */
export function expectedOf(issue: z.core.$ZodIssue, schema: z.core.$ZodType | undefined): string {
  const own = !/^(Invalid|Too|Unrecognized)\b/.test(issue.message);
  return own || !schema ? issue.message : expectedBy(schema);
}

/** The parts of JSON Schema that zod emits for configuration values. */
interface JsonSchema {
  type?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: JsonSchema[];
  items?: JsonSchema | false;
  prefixItems?: JsonSchema[];
  format?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
  minItems?: number;
}

/** Descriptions of text formats, by their names in JSON Schema and zod. */
const FORMATS: Record<string, string> = {
  uri: 'a URL',
  ipv4: 'an IP address',
  ipv6: 'an IP address',
  cidrv4: 'an IP network',
  cidrv6: 'an IP network',
};

function inWords(schema: JsonSchema): string {
  if (schema.anyOf) return list([...new Set(schema.anyOf.map(inWords))]);
  if (schema.enum) return list(schema.enum.map(String));
  if (schema.const !== undefined) return String(schema.const);
  switch (schema.type) {
    case 'number':
    case 'integer':
      return `a ${schema.type === 'integer' ? 'whole ' : ''}number${range(schema)}`;
    case 'boolean':
      return 'true or false';
    case 'string':
      return FORMATS[schema.format ?? ''] ?? 'text';
    case 'array':
      return arrayInWords(schema);
    case 'object':
      return 'a mapping of keys';
    case 'null':
      return 'null';
    default:
      return 'another value';
  }
}

function arrayInWords({ prefixItems, items, minItems = 0 }: JsonSchema): string {
  if (prefixItems) return `a list of ${prefixItems.length}: ${[...new Set(prefixItems.map(inWords))].join(', ')}`;
  const of = items ? inWords(items) : 'values';
  return `a list${minItems > 0 ? `, not empty,` : ''} like [a, b] of ${of.replace(/^an? (whole )?number/, '$1numbers').replace(/^a URL/, 'URLs')}`;
}

function range(schema: JsonSchema): string {
  // zod adds the limits of safe integers, which no schema asked for.
  const [minimum, maximum] = [schema.minimum, schema.maximum].map((limit) =>
    Number.isSafeInteger(Math.abs(limit ?? 0) + 1) ? limit : undefined,
  );
  const { exclusiveMinimum: above, exclusiveMaximum: below, multipleOf } = schema;
  const limits = [
    above !== undefined && `above ${above}`,
    minimum !== undefined && maximum !== undefined && `from ${minimum} to ${maximum}`,
    minimum !== undefined && maximum === undefined && `of ${minimum} or more`,
    maximum !== undefined && minimum === undefined && `of at most ${maximum}`,
    below !== undefined && `below ${below}`,
    multipleOf !== undefined && `a multiple of ${multipleOf}`,
  ].filter((limit) => limit !== false);
  return limits.length === 0 ? '' : ` ${limits.join(', ')}`;
}

const list = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words[words.length - 1]}`;

/** A schema that also reads objects written when one of its keys had another name. */
export const withOldName = <Schema extends z.ZodType>(schema: Schema, old: string, key: string) =>
  z.preprocess((value) => {
    if (!isRecord(value) || !(old in value) || key in value) return value;
    const { [old]: renamed, ...rest } = value;
    return { ...rest, [key]: renamed };
  }, schema);
