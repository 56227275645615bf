import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { didYouMean, messageOf, UserError } from '../src/base/errors.js';
import { describeMachine } from './machine.js';
import type { BenchResult } from './paired.js';

const SUFFIX = '.bench.ts';

/** A benchmark that has parts is told which to run (all when none is named), and whether a short look is enough. */
interface BenchModule {
  default(options: { parts: string[]; quick: boolean }): Promise<{ results: BenchResult[]; table?: string }>;
  PARTS?: readonly string[];
}

/** Runs the benchmark named on the command line: `npm run bench -- NAME [PART …] [--quick] [--json]`. */
async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'boolean' }, quick: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const [name, ...parts] = positionals;
  checkWord('npm run bench -- NAME', 'the name of a benchmark', name, names());
  const module: BenchModule = await import(pathToFileURL(join(import.meta.dirname, name + SUFFIX)).href);
  for (const part of parts) checkWord(`npm run bench -- ${name}`, 'parts of the benchmark', part, module.PARTS ?? []);
  const { results, table } = await module.default({ parts, quick: values.quick });
  const answer = { name, machine: describeMachine(), results };
  console.log(values.json ? JSON.stringify(answer) : describe(answer, table));
}

function names(): string[] {
  return readdirSync(import.meta.dirname)
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length));
}

function checkWord(where: string, expected: string, received: string | undefined, known: readonly string[]): void {
  if (received !== undefined && known.includes(received)) return;
  const hint = received === undefined ? `Known: ${known.join(', ')}.` : didYouMean(received, known);
  throw new UserError({ where, expected, received, hint });
}

/** `table`: what a benchmark says in its own way instead of one line a result. */
function describe(
  { name, machine, results }: { name: string; machine: object; results: BenchResult[] },
  table?: string,
): string {
  const facts = Object.values(machine).flat().join(', ');
  if (table !== undefined) return `${name} on ${facts}\n${table}`;
  const rows = results.map(
    ({ case: what, unit, ours, peer, peer_name, ratio }) =>
      `${what}: ${ours.toFixed(2)} ${unit}, ${peer_name} ${peer.toFixed(2)} ${unit}, ` +
      `ratio ${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)} to ${ratio.max.toFixed(2)})`,
  );
  return [`${name} on ${facts}`, ...rows].join('\n');
}

try {
  await main();
} catch (error) {
  if (!(error instanceof UserError) && !String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS'))
    throw error;
  console.error(`error: ${messageOf(error)}`);
  process.exitCode = 2;
}
