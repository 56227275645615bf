import { requireNode } from './setup/node_version.mjs';

requireNode();
const { main } = await import('./setup/main.mjs');
await main(process.argv.slice(2));
