import { spawnSync } from 'node:child_process';
import { requireNode } from './setup/node_version.mjs';

requireNode();
const { reportFailure } = await import('./setup/console.mjs');
const { isReady, setUp } = await import('./setup/index.mjs');
const { root } = await import('./setup/paths.mjs');

try {
  if (!isReady()) await setUp();
  const args = ['--import', 'tsx', 'bench/run.ts', ...process.argv.slice(2)];
  process.exitCode = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status ?? 1;
} catch (error) {
  reportFailure(error);
}
