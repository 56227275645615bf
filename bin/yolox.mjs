#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { requireNode } from '../scripts/setup/node_version.mjs';

requireNode();
const cli = new URL('../dist/cli/index.js', import.meta.url);
if (process.argv[2] === 'setup') {
  const { main } = await import('../scripts/setup/main.mjs');
  await main(process.argv.slice(3));
} else if (existsSync(cli)) {
  await import(cli.href);
} else {
  const message = 'yolox-node is not built yet. Run "npm run setup" in the clone first.';
  process.stderr.write(`error: ${message}\n`);
  if (process.argv.includes('--json')) console.log(JSON.stringify({ error: { message, code: 2 } }));
  process.exitCode = 2;
}
