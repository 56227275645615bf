import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const running = new Set();

/** Ends every command still running; for the moment this process is told to stop. */
export function stopCommands() {
  for (const child of running) child.kill('SIGTERM');
}

/**
 * Runs a command to its end without a shell and without stdin.
 * Resolves to {code, stdout, stderr}; the code is 127 when the command is not found. `onLine` gets stdout line by line.
 */
export function run(command, args, { onLine, ...options } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    const chunks = { stdout: [], stderr: [] };
    for (const name of Object.keys(chunks)) child[name].on('data', (data) => chunks[name].push(data));
    if (onLine) createInterface({ input: child.stdout }).on('line', onLine);
    const finish = (code) => {
      running.delete(child);
      resolve({ code, stdout: text(chunks.stdout), stderr: text(chunks.stderr) });
    };
    child.on('error', () => finish(127));
    child.on('close', (code, signal) => finish(code ?? (signal ? 128 : 1)));
  });
}

const text = (chunks) => Buffer.concat(chunks).toString('utf8').trim();

/** What a failed command said last, for an error message. */
export const lastWords = ({ stdout, stderr }, lines = 12) => (stderr || stdout).split('\n').slice(-lines).join('\n');
