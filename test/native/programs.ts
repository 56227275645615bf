import { spawn } from 'node:child_process';

export interface Ending {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end. */
export function runProgram(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    const chunks: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
    child.stdout.on('data', (data) => chunks.stdout.push(data));
    child.stderr.on('data', (data) => chunks.stderr.push(data));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const stderr = Buffer.concat(chunks.stderr).toString() + (signal ? `\nended by ${signal}` : '');
      resolve({ code, stdout: Buffer.concat(chunks.stdout).toString(), stderr });
    });
  });
}
