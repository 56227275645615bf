import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { requireNode } from './setup/node_version.mjs';

requireNode();
const startedAt = Date.now();
const { reportFailure, say } = await import('./setup/console.mjs');
const { setUp } = await import('./setup/index.mjs');
const { root } = await import('./setup/paths.mjs');

try {
  await setUp();
  const own = process.argv.slice(2).filter((arg) => arg !== '--json');
  const config = join(root, 'configs/quickstart.yaml');
  const args = [join(root, 'bin/yolox.mjs'), 'run', '--config', config, '--json', ...own];
  // `seconds` of the final summary counts from here, set-up included.
  const env = { ...process.env, YOLOX_STARTED_AT: String(startedAt) };
  const run = spawn(process.execPath, args, { cwd: root, env, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => run.kill(signal));
  run.on('close', (code, signal) => {
    if (signal) say(`error: the run was ended by ${signal}`);
    process.exitCode = code ?? 128 + constants.signals[signal];
  });
} catch (error) {
  reportFailure(error);
}
