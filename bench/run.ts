import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { didYouMean, messageOf, UserError } from '../src/base/errors.js';
import { describeMachine } from './machine.js';
import type { BenchResult } from './paired.js';

const SUFFIX = '.bench.ts';

/** Runs the benchmark named on the command line: `npm run bench -- NAME [--json]`. */
async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ options: { json: { type: 'boolean' } }, allowPositionals: true });
  const name = chosenName(positionals);
  const module = await import(pathToFileURL(join(import.meta.dirname, name + SUFFIX)).href);
  const { results, table } = (await module.default()) as { results: BenchResult[]; table?: string };
  const answer = { name, machine: describeMachine(), results };
  console.log(values.json ? JSON.stringify(answer) : describe(answer, table));
}

function chosenName(words: readonly string[]): string {
  const known = readdirSync(import.meta.dirname)
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length));
  if (words.length === 1 && known.includes(words[0])) return words[0];
  throw new UserError({
    where: 'npm run bench -- NAME',
    expected: 'the name of one benchmark',
    received: words.join(' '),
    hint: words.length === 1 ? didYouMean(words[0], known) : `Known: ${known.join(', ')}.`,
  });
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
