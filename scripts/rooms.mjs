import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup/paths.mjs';

/** The rooms of the house from the ground up, each with the rooms it may import. */
export const ROOMS = {
  base: [],
  config: ['base'],
  image: ['base', 'config'],
  detect: ['base', 'config', 'image'],
  kernels: ['base', 'config'],
  model: ['base', 'config', 'image', 'detect', 'kernels'],
  data: ['base', 'image', 'detect'],
  loadtest: ['base'],
  report: ['image', 'detect', 'data', 'loadtest'],
  serve: ['base', 'config', 'image', 'detect'],
  pipeline: ['base', 'config', 'image', 'detect', 'kernels', 'model', 'data', 'loadtest', 'report', 'serve'],
  cli: ['base', 'config', 'detect', 'kernels', 'model', 'data', 'loadtest', 'pipeline', 'report', 'serve'],
};

/** Packages that only some rooms may import; all others are for every room. */
export const PACKAGES = {
  '@tensorflow/tfjs-node-gpu': ['kernels'],
  'onnxruntime-node': ['detect', 'model', 'pipeline', 'cli'],
  hono: ['serve', 'report'],
  '@hono/node-server': ['serve'],
  yargs: ['cli'],
};

/** Folders beside src that no room may import. */
const OUTSIDE = ['bench', 'scripts', 'test', 'web'];

const FILE = join(root, 'biome.rooms.json');

/** Biome's configuration that holds the rooms to {@link ROOMS} and {@link PACKAGES}. */
export function biomeRules() {
  const overrides = Object.entries(ROOMS).map(([room, allowed]) => {
    const deniedRooms = Object.keys(ROOMS).filter((other) => other !== room && !allowed.includes(other));
    const deniedPackages = Object.keys(PACKAGES).filter((name) => !PACKAGES[name].includes(room));
    const patterns = [
      {
        group: [...deniedRooms, ...OUTSIDE].map((other) => `**/${other}/**`),
        message: `${room} may import ${allowed.join(', ') || 'no other room'}: see scripts/rooms.mjs.`,
      },
      {
        group: deniedPackages.flatMap((name) => [name, `${name}/**`]),
        message: `${room} does not use this package: see scripts/rooms.mjs.`,
      },
    ];
    return {
      includes: [`src/${room}/**`],
      linter: { rules: { style: { noRestrictedImports: { level: 'error', options: { patterns } } } } },
    };
  });
  return { overrides };
}

if (process.argv[1] === import.meta.filename) {
  const text = `${JSON.stringify(biomeRules(), null, 2)}\n`;
  if (!process.argv.includes('--check')) writeFileSync(FILE, text);
  else if (JSON.stringify(JSON.parse(readFileSync(FILE, 'utf8'))) !== JSON.stringify(biomeRules())) {
    console.error('biome.rooms.json does not match scripts/rooms.mjs. Run "npm run rooms".');
    process.exitCode = 1;
  }
}
