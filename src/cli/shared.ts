import type { Argv } from 'yargs';

/** The flag every command takes. */
export const jsonOption = <T>(yargs: Argv<T>) =>
  yargs.option('json', {
    type: 'boolean',
    default: false,
    describe: 'Print one JSON object as the last line of stdout',
  });

/** A command's answer: one JSON line with `--json`, else the text for a person. */
export function printResult(result: object, text: string, { json }: { json?: boolean }): void {
  console.log(json ? JSON.stringify(result) : text);
}
