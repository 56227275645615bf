import type { Argv, CommandModule } from 'yargs';
import { z } from 'zod';
import { UserError } from '../base/errors.js';
import { expectedBy, expectedOf } from '../base/zod.js';
import { childOf, schemaAt, unwrap } from '../config/keys.js';
import type { Config } from '../config/schema.js';
import { valueOfText, YamlError } from '../config/text.js';
import { type ConfigFlags, configFlags, loadGivenConfig } from './config_options.js';

/** Options and positional arguments of a command by camel-case name; each schema has a description. */
export type OptionShape = Record<string, z.ZodType>;

/** What a command receives besides its arguments. */
export interface CommandContext {
  /** Options on the command line, by declared name or, for configuration flags, by key. */
  given: ReadonlySet<string>;
  /** Loads the configuration from file, environment and flags; for commands that declare `config`. */
  config(): Promise<Config>;
}

export interface CommandSpec<Shape extends OptionShape> {
  /** Name and positional arguments in yargs' syntax: `predict <images..>`. */
  command: string;
  describe: string;
  options: Shape;
  /** Configuration keys that this command accepts as flags. */
  config?: ConfigFlags;
  examples: readonly (readonly [command: string, what: string])[];
  epilogue?: string;
  handler(args: z.infer<z.ZodObject<Shape>> & { json: boolean }, context: CommandContext): void | Promise<void>;
}

/** How a flag is written. */
export interface FlagSyntax {
  /** What it sets; two flags with the same target are synonyms. */
  target: string;
  /** `switch` takes no value, `value` one, `numbers` exactly `count` numbers; `list` takes several and may be repeated. */
  kind: 'switch' | 'list' | 'numbers' | 'value';
  /** How many numbers a `numbers` flag takes. */
  count?: number;
}

/** A yargs command with the syntax of its flags. */
export interface Command extends CommandModule<object, object> {
  flags: ReadonlyMap<string, FlagSyntax>;
}

const json = z
  .boolean()
  .default(false)
  .describe('Print the result or the error as one JSON object on the last line of stdout');

/**
 * Turns a declaration into a command. yargs passes options as text; their values are read like those of the
 * configuration: text → value the schema expects → zod. A UserError names the flag, what was expected and what was
 * received.
 */
export function defineCommand<Shape extends OptionShape>(spec: CommandSpec<Shape>): Command {
  const shape: OptionShape = { ...spec.options, json };
  const schema = z.strictObject(shape);
  const positionals = positionalsOf(spec.command);
  const labelOf = (name: string) => (positionals.has(name) ? name : `--${kebab(name)}`);
  return {
    command: spec.command,
    describe: spec.describe,
    flags: new Map([
      ...Object.entries(shape).map(([name, option]) => [kebab(name), syntaxOf(name, option)] as const),
      ...(spec.config
        ? configFlags(spec.config).map(({ flag, key }) => [flag, syntaxOf(key, schemaAt(key.split('.')))] as const)
        : []),
    ]),
    builder(yargs) {
      for (const [name, option] of Object.entries(shape)) declare(yargs, name, option, positionals.has(name));
      for (const { flag, key, describe } of spec.config ? configFlags(spec.config) : []) {
        declareConfigFlag(yargs, flag, key, describe);
      }
      for (const [command, what] of spec.examples) yargs.example(`$0 ${command}`, what);
      return spec.epilogue === undefined ? yargs : yargs.epilogue(spec.epilogue);
    },
    async handler(argv) {
      const given = new Map(Object.entries(argv).filter(([, value]) => value !== undefined));
      const values: Record<string, unknown> = {};
      for (const [name, option] of Object.entries(shape)) {
        const value = given.get(kebab(name)) ?? given.get(name);
        if (value !== undefined) values[name] = readOption(value, option, labelOf(name));
      }
      const result = schema.safeParse(values);
      if (!result.success) throw problemOf(result.error.issues[0], schema, values, labelOf);
      const flags = spec.config ? configFlags(spec.config).filter(({ flag }) => given.has(flag)) : [];
      await spec.handler(result.data as Parameters<typeof spec.handler>[0], {
        given: new Set([...Object.keys(values), ...flags.map(({ key }) => key)]),
        config: () =>
          loadGivenConfig(flags.map((flag) => ({ ...flag, value: textOf(given.get(flag.flag), `--${flag.flag}`) }))),
      });
    },
  };
}

/** `maxDetections` → `max-detections`; configuration keys stay unchanged. */
export const kebab = (name: string): string =>
  name.includes('.') ? name : name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const positionalsOf = (command: string): ReadonlySet<string> =>
  new Set([...command.matchAll(/[<[](\w+)(?:\.\.)?[>\]]/g)].map(([, name]) => name));

function syntaxOf(target: string, schema: z.core.$ZodType | undefined): FlagSyntax {
  const inner = schema && unwrap(schema);
  if (inner instanceof z.ZodBoolean && !target.includes('.')) return { target, kind: 'switch' };
  if (inner instanceof z.ZodArray && !target.includes('.')) return { target, kind: 'list' };
  const numbers = inner instanceof z.ZodTuple && inner.def.items.every((item) => unwrap(item) instanceof z.ZodNumber);
  return numbers ? { target, kind: 'numbers', count: inner.def.items.length } : { target, kind: 'value' };
}

function declare(yargs: Argv, name: string, schema: z.ZodType, positional: boolean): void {
  const { kind } = syntaxOf(name, schema);
  const describe = `${schema.description ?? ''}${domainOf(schema)}`;
  const type = kind === 'switch' ? 'boolean' : isText(schema) || kind === 'list' ? 'string' : undefined;
  const array = kind === 'list';
  if (positional) {
    yargs.positional(name, { describe, type: 'string', array, demandOption: !schema.safeParse(undefined).success });
  } else {
    yargs.option(kebab(name), {
      describe,
      type,
      array,
      requiresArg: kind !== 'switch',
      demandOption: !schema.safeParse(undefined).success,
      defaultDescription: defaultOf(schema),
    });
  }
}

function declareConfigFlag(yargs: Argv, flag: string, key: string, describe: string | undefined): void {
  const schema = schemaAt(key.split('.'));
  yargs.option(flag, {
    type: schema && isText(schema) ? 'string' : undefined,
    requiresArg: true,
    ...(describe === undefined
      ? { hidden: true, group: 'Configuration:', describe: schema && expectedBy(schema) }
      : { describe: `${describe}${schema ? domainOf(schema) : ''}` }),
  });
}

/** The allowed numbers or choices, for the help. */
function domainOf(schema: z.core.$ZodType): string {
  const inner = unwrap(schema);
  const told = inner instanceof z.ZodBoolean || inner instanceof z.ZodString || inner instanceof z.ZodArray;
  return told ? '' : ` (${expectedBy(schema).replace(/ or null$/, '')})`;
}

const isText = (schema: z.core.$ZodType): boolean => unwrap(schema) instanceof z.ZodString;

function defaultOf(schema: z.ZodType): string | undefined {
  const { data } = schema.safeParse(undefined);
  if (data === undefined || data === false || (Array.isArray(data) && data.length === 0)) return undefined;
  return String(data);
}

/** Converts what yargs returns for an option to the value that its schema checks. */
function readOption(value: unknown, schema: z.core.$ZodType, label: string): unknown {
  const { kind } = syntaxOf('', schema);
  if (kind === 'switch') return value;
  if (kind !== 'list') return readText(textOf(value, label), schema, label);
  const item = childOf(schema, 0) as z.core.$ZodType;
  return [value].flat().map((one) => readText(textOf(one, label), item, label));
}

/** @throws UserError for a flag with no value or several */
function textOf(value: unknown, label: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) throw repeated(label, [label]);
  throw new UserError({ where: label.replace(/^--/, '--no-'), expected: `${label} with a value, or nothing` });
}

/** The error for flags that set the same thing. */
export function repeated(target: string, labels: readonly string[]): UserError {
  const names = [...new Set(labels)];
  const reason = names.length > 1 ? `both set ${target}` : 'it is given more than once';
  return new UserError({ where: names.join(', '), expected: 'one value', reason, hint: 'Leave out all but one.' });
}

function readText(text: string, schema: z.core.$ZodType, where: string): unknown {
  try {
    return valueOfText(text, schema);
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    throw new UserError({ where, expected: expectedBy(schema), received: text }, { cause: error });
  }
}

function problemOf(
  issue: z.core.$ZodIssue,
  schema: z.ZodObject,
  values: Record<string, unknown>,
  labelOf: (name: string) => string,
): UserError {
  const [name, ...rest] = issue.path;
  const { hint, secret } = (issue.code === 'custom' ? issue.params : undefined) ?? {};
  const received = issue.path.reduce<unknown>(
    (node, key) => (node as Record<PropertyKey, unknown> | undefined)?.[key],
    values,
  );
  return new UserError({
    where: labelOf(String(name)),
    field: rest.length > 0 ? rest.map((key) => `[${String(key)}]`).join('') : undefined,
    expected: expectedOf(issue, schemaAt(issue.path, schema)),
    received: secret ? undefined : received,
    hint,
  });
}
