/** Prints the result of a command: one JSON line with `--json`, else text for people. */
export function printResult(result: object, text: string, { json }: { json?: boolean }): void {
  console.log(json ? JSON.stringify(result) : text);
}
