import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Test } from 'uvu';
import { shared, suiteNeeding } from '../support/shared.js';

const CLI = resolve(import.meta.dirname, '../../bin/yolox.mjs');

/** Path inside the folder of inputs remade from public reports. */
export const caseFile = (...parts: string[]): string => shared('cases', ...parts);

/** A suite for one of those inputs, `04-same-image-id`; skipped with a line where the folder is absent. */
export const caseSuite = (name: string): Test => suiteNeeding(`case ${name}`, [caseFile(name)]);

export interface CliResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `yolox` with these arguments, compiled: `npm test` sees to it that it is up to date. */
export function yolox(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CliResult> {
  return new Promise((done) => {
    const options = { env: { ...process.env, ...env }, maxBuffer: 1 << 28 };
    execFile(process.execPath, [CLI, ...args], options, (error, stdout, stderr) =>
      done({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

/** Runs `work` with a new folder that is removed afterwards. */
export async function inTempDir<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'yolox-case-'));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
