/** A command's answer: one JSON line with `--json`, else the text for a person. */
export function printResult(result: object, text: string, { json }: { json?: boolean }): void {
  console.log(json ? JSON.stringify(result) : text);
}
