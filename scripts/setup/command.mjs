import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const running = new Set();

/** Ends every command still running; for the moment this process is told to stop. */
export function stopCommands() {
  for (const child of running) child.kill('SIGTERM');
}

/**
 * Runs a command to its end without a shell and without stdin.
 * Resolves to {code, output}: the exit code (127 when the command is not found) and stdout and stderr together.
 * `onLine` gets stdout line by line.
 */
export function run(command, args, { onLine, ...options } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    const output = [];
    child.stdout.on('data', (data) => output.push(data));
    child.stderr.on('data', (data) => output.push(data));
    if (onLine) createInterface({ input: child.stdout }).on('line', onLine);
    const finish = (code) => {
      running.delete(child);
      resolve({ code, output: Buffer.concat(output).toString('utf8').trim() });
    };
    child.on('error', () => finish(127));
    child.on('close', (code, signal) => finish(code ?? (signal ? 128 : 1)));
  });
}

/** The last lines of a command's output, for an error message. */
export const tail = (output, lines = 12) => output.split('\n').slice(-lines).join('\n');
