import yargs, { type Argv } from 'yargs';
import { didYouMean, UserError } from '../base/errors.js';
import { packageVersion } from '../base/package.js';
import { renamedHint } from '../config/renamed.js';
import { type Command, type FlagSyntax, kebab, repeated } from './command.js';

/** Name of the program in texts; also how npx finds it. */
export const PROGRAM = 'yolox-node';

/** Misuse of the command line that does not concern a single option. */
export class UsageError extends UserError {
  override name = 'UsageError';

  constructor(message: string) {
    super({ expected: 'a command as --help shows it', reason: message });
    this.message = message;
  }
}

/** Parses a command line and runs its command. @throws UserError for wrong use, and what the command throws */
export async function runCommandLine(argv: readonly string[], commands: readonly Command[]): Promise<void> {
  const flags = new Map(commands.flatMap((command) => [...command.flags]));
  refuseUnknown(argv[0], commands);
  const parser = makeParser(prepare(argv, flags), flags);
  for (const command of commands) parser.command(command);
  await parser.parseAsync();
}

/** @throws UserError if the first word is not a command */
function refuseUnknown(word: string | undefined, commands: readonly Command[]): void {
  const known = commands.map(({ command }) => String(command).split(' ')[0]);
  if (word === undefined || /^-|^$|^help$/.test(word) || known.includes(word)) return;
  throw new UserError({ where: word, expected: 'a command', hint: didYouMean(word, known) });
}

function makeParser(argv: string[], flags: ReadonlyMap<string, FlagSyntax>): Argv {
  return (
    yargs(argv)
      .scriptName(PROGRAM)
      // By default, yargs shows the version of the project that this package is installed in.
      .version(packageVersion)
      .usage('$0 <command>\n\nTrains, packages, serves and load-tests YOLOX object detectors.')
      .option('trace', { type: 'boolean', default: false, global: true, describe: 'Show stack traces of errors' })
      .epilogue(
        `\`npx ${PROGRAM} setup [--cuda|--cpu]\` installs TensorFlow; \`npx ${PROGRAM} doctor\` shows what is installed.`,
      )
      .demandCommand(1, `Name a command; \`npx ${PROGRAM} --help\` lists them.`)
      .recommendCommands()
      .strict()
      .wrap(Math.min(110, process.stdout.columns ?? 110))
      .parserConfiguration({ 'dot-notation': false, 'parse-numbers': false, 'parse-positional-numbers': false })
      .exitProcess(false)
      .fail((message, error) => {
        // yargs also throws errors of its own, for flags without a value.
        if (error instanceof Error && error.name !== 'YError') throw error;
        throw usageProblem(message ?? error.message, argv, flags);
      })
  );
}

/** A hint with the new name of an option that has been renamed: a configuration key, or `--nms`. */
function renamedOption(name: string, flags: ReadonlyMap<string, FlagSyntax>): string | undefined {
  if (name === 'nms' && flags.has('iou')) return 'It is called --iou now.';
  return renamedHint(`--${name}`, (key) => `--${key}`);
}

/** Turns a message of yargs into a problem of the option. */
function usageProblem(message: string, argv: readonly string[], flags: ReadonlyMap<string, FlagSyntax>): UserError {
  const [, what = '', names = ''] = /^(Unknown|Missing required|Not enough)\b.*?: ([^,]+)/s.exec(message) ?? [];
  const name = names.trim();
  if (what === 'Unknown') {
    if (!argv.some((arg) => arg.replace(/=.*$/s, '') === `--${name}`)) {
      const dashed = argv.find((arg) => /^[-–—−][^-]/.test(arg) && arg.includes(name.replace(/^[–—−]/, '')));
      if (dashed) {
        const hint = 'Options begin with two hyphens; the help of the command lists them.';
        return new UserError({ where: dashed, expected: 'a known option', hint });
      }
      return new UserError({ where: name, expected: 'nothing more', hint: `See \`npx ${PROGRAM} <command> --help\`.` });
    }
    const near = didYouMean(name, [...flags.keys(), 'help', 'version', 'trace']);
    const help = `\`npx ${PROGRAM} <command> --help\` lists them.`;
    return new UserError({
      where: `--${name}`,
      expected: 'a known option',
      hint: renamedOption(name, flags) ?? (near.startsWith('Did') ? near : help),
    });
  }
  if (what === 'Missing required') return new UserError({ where: `--${name}`, expected: 'this required option' });
  if (what === 'Not enough' && flags.has(name)) {
    const hint = `Write a value that begins with a dash as --${name}=VALUE.`;
    return new UserError({ where: `--${name}`, expected: 'a value', hint });
  }
  return new UsageError(what === '' ? message : `${message}. See \`npx ${PROGRAM} <command> --help\``);
}

/**
 * Refuses what yargs would silently accept: a flag given twice, or a switch with a value other than true or false.
 * Several numbers after a flag become one list: `--size 480 640`.
 */
function prepare(argv: readonly string[], flags: ReadonlyMap<string, FlagSyntax>): string[] {
  const prepared: string[] = [];
  const seen = new Map<string, string>();
  const end = argv.indexOf('--');
  const last = end < 0 ? argv.length : end;
  for (let i = 0; i < last; i++) {
    prepared.push(argv[i]);
    const [, negation, written, value] = /^--(no-)?([^=]+)(?:=(.*))?$/s.exec(argv[i]) ?? [];
    const syntax = written === undefined ? undefined : flags.get(kebab(written));
    if (!syntax) continue;
    const label = `--${negation ?? ''}${written}`;
    const before = seen.get(syntax.target);
    if (before !== undefined && syntax.kind !== 'list') throw repeated(syntax.target, [before, label]);
    seen.set(syntax.target, label);
    if (syntax.kind === 'switch' && value !== undefined && !/^(true|false)$/.test(value)) {
      throw new UserError({ where: label, expected: 'true or false', received: value });
    }
    if (syntax.kind !== 'numbers' || value !== undefined) continue;
    const rest = argv.slice(i + 1, Math.min(last, i + 1 + (syntax.count ?? 1)));
    const other = rest.findIndex((text) => !/^-?[\d.]+(e[+-]?\d+)?$/i.test(text));
    const numbers = other < 0 ? rest : rest.slice(0, other);
    if (numbers.length < 2) continue;
    prepared.push(`[${numbers.join(', ')}]`);
    i += numbers.length;
  }
  // yargs drops everything after `--`, but those arguments are paths.
  return [...prepared, ...argv.slice(last + 1).map((path) => (path.startsWith('-') ? `./${path}` : path))];
}
