import { spawn } from 'node:child_process';
import { requireNode } from './setup/node_version.mjs';

requireNode();
const { run } = await import('./setup/command.mjs');
const { reportFailure, say } = await import('./setup/console.mjs');
const { isReady, setUp } = await import('./setup/index.mjs');
const { root } = await import('./setup/paths.mjs');
const { fetchNode, pinnedNodes } = await import('./test/nodes.mjs');

/** Tests that show whether a Node carries the product: all of the numbers, a training step, the service, the page's CLI. */
const TESTS = ['golden/', 'model/train_state.test', 'serve/server.test'];

/** Prints what a few training steps come to, every bit of it. */
const STEPS = ['--import', 'tsx', 'test/model/print_steps.ts'];

try {
  if (!isReady()) await setUp();
  const expected = await steps(process.execPath);
  for (const node of pinnedNodes) {
    const binary = await fetchNode(node);
    say(`\nNode ${node.version}`);
    const failed = (await status(binary, ['scripts/test.mjs', ...TESTS])) !== 0;
    const same = (await steps(binary)) === expected;
    say(
      same ? 'training steps: bit for bit those of this Node' : `training steps: differ from Node ${process.version}`,
    );
    if (failed || !same) process.exitCode = 1;
  }
} catch (error) {
  reportFailure(error);
}

function status(binary, args) {
  return new Promise((resolve) => {
    spawn(binary, args, { cwd: root, stdio: 'inherit' }).on('close', (code) => resolve(code ?? 1));
  });
}

async function steps(binary) {
  const { code, stdout, stderr } = await run(binary, STEPS, { cwd: root });
  if (code !== 0) throw new Error(`${binary} ${STEPS.join(' ')}: exit code ${code}\n${stderr}`);
  return stdout;
}
