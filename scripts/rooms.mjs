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

/** The rooms inside `serve`, likewise. All may import what stands on its ground: `api_error` and `detect_request`. */
export const SERVE_ROOMS = {
  worker: [],
  batching: ['worker'],
  versions: ['worker', 'batching'],
  observe: ['versions'],
  security: [],
  http: ['worker', 'batching', 'versions', 'observe', 'security'],
};

/** Modules of `serve` that put its rooms together, which none of them may import. */
const SERVE_TOP = ['app', 'serve_models', 'server', 'tune'];

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

/** Biome's configuration that holds the rooms to {@link ROOMS}, {@link SERVE_ROOMS} and {@link PACKAGES}. */
export function biomeRules() {
  const overrides = Object.keys(ROOMS).map((room) => restrict(`src/${room}`, patternsOf(room)));
  for (const [room, allowed] of Object.entries(SERVE_ROOMS)) {
    const denied = Object.keys(SERVE_ROOMS).filter((other) => other !== room && !allowed.includes(other));
    const group = [...denied.map((other) => `**/${other}/**`), ...SERVE_TOP.map((name) => `../${name}.js`)];
    const inside = { group, message: messageOf(`serve/${room}`, ['the ground of serve', ...allowed]) };
    // The last override of a file counts, so it repeats the rules of serve.
    overrides.push(restrict(`src/serve/${room}`, [...patternsOf('serve'), inside]));
  }
  return { overrides };
}

function patternsOf(room) {
  const allowed = ROOMS[room];
  const deniedRooms = Object.keys(ROOMS).filter((other) => other !== room && !allowed.includes(other));
  const deniedPackages = Object.keys(PACKAGES).filter((name) => !PACKAGES[name].includes(room));
  return [
    { group: [...deniedRooms, ...OUTSIDE].map((other) => `**/${other}/**`), message: messageOf(room, allowed) },
    {
      group: deniedPackages.flatMap((name) => [name, `${name}/**`]),
      message: `${room} does not use this package: see scripts/rooms.mjs.`,
    },
  ];
}

const messageOf = (room, allowed) =>
  `${room} may import ${allowed.join(', ') || 'no other room'}: see scripts/rooms.mjs.`;

const restrict = (folder, patterns) => ({
  includes: [`${folder}/**`],
  linter: { rules: { style: { noRestrictedImports: { level: 'error', options: { patterns } } } } },
});

if (process.argv[1] === import.meta.filename) {
  const text = `${JSON.stringify(biomeRules(), null, 2)}\n`;
  if (!process.argv.includes('--check')) writeFileSync(FILE, text);
  else if (JSON.stringify(JSON.parse(readFileSync(FILE, 'utf8'))) !== JSON.stringify(biomeRules())) {
    console.error('biome.rooms.json does not match scripts/rooms.mjs. Run "npm run rooms".');
    process.exitCode = 1;
  }
}
