// What every CUDA kernel takes of a card, as a table in docs/GPU.md:
//
//   npx tsx test/native/resources.ts --write    compiles every kernel for every architecture and rewrites the table
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const kernels = await import(join(root, 'scripts/setup/cuda_kernels.mjs'));

export interface Resources {
  stem: string;
  architecture: string;
  kernel: string;
  registers: number;
  /** Bytes. */
  shared: number;
  /** Bytes stored and loaded. */
  spilled: number;
}

export const page = join(root, 'docs/GPU.md');
export const architectures: string[] = kernels.ARCHITECTURES;
const [BEGIN, END] = ['<!-- kernels -->', '<!-- end of kernels -->'];

/** Compiles the kernels of some ops for every architecture; what the compiler says of each. */
export async function compileFor(stems: string[] = kernels.cudaStems()): Promise<Resources[]> {
  await kernels.compileKernels(architectures, stems);
  return kernels.kernelResources(architectures, stems);
}

const kernelKey = ({ stem, kernel }: Resources) => `${stem} ${kernel}`;

/** The table, a line per kernel. */
export function table(all: readonly Resources[]): string {
  const binaries = architectures.filter((name) => name.startsWith('sm_'));
  const rows = [...new Set(all.map(kernelKey))].sort().map((key) => {
    const each = binaries.map((name) => all.find((row) => kernelKey(row) === key && row.architecture === name));
    const most = (what: 'shared' | 'spilled') => Math.max(...each.map((row) => row?.[what] ?? 0));
    const registers = each.map((row) => row?.registers ?? '–');
    return `| ${[...key.split(' '), ...registers, most('shared'), most('spilled')].join(' | ')} |`;
  });
  const heads = ['op', 'kernel', ...binaries, 'shared memory', 'spilled'];
  return [`| ${heads.join(' | ')} |`, `|${heads.map((_, i) => (i < 2 ? ' --- |' : ' ---: |')).join('')}`, ...rows].join(
    '\n',
  );
}

/** Kernels of the table in the page, as "<op> <kernel>". */
export function documented(): string[] {
  const text = readFileSync(page, 'utf8');
  const inside = text.slice(text.indexOf(BEGIN), text.indexOf(END));
  return [...inside.matchAll(/^\| (\w+) \| (\w+) \| [\d–]/gm)].map(([, stem, kernel]) => `${stem} ${kernel}`);
}

if (process.argv[1] === import.meta.filename && process.argv[2] === '--write') {
  const text = readFileSync(page, 'utf8');
  const head = text.slice(0, text.indexOf(BEGIN) + BEGIN.length);
  writeFileSync(page, `${head}\n${table(await compileFor())}\n${text.slice(text.indexOf(END))}`);
}
