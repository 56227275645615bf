import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

/** The command line as it is installed: compiled, without a loader. */
export const CLI = resolve(import.meta.dirname, '../../bin/yolox.mjs');

/** What a command prints. */
export function yolox(args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`yolox ${args[0]} failed: ${stderr.trim()}`);
  return stdout.trim();
}
