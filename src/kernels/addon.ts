import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

/** Where set-up puts what it compiles of ours. */
export const buildDir = join(root, 'build');

interface Level {
  name: string;
  /** What /proc/cpuinfo calls the newest instructions of this level. */
  flag: string;
}

/** Our TensorFlow ops for the best level this processor has, of those that set-up has compiled; undefined for none. */
export function findAddon(): { file: string; level: string } | undefined {
  const levels = join(root, 'scripts/setup/levels.json');
  if (!existsSync(levels)) return undefined;
  const flags =
    readFileSync('/proc/cpuinfo', 'utf8')
      .match(/^flags\s*:(.*)$/m)?.[1]
      .split(' ') ?? [];
  return (JSON.parse(readFileSync(levels, 'utf8')) as Level[])
    .filter(({ flag }) => flags.includes(flag))
    .map(({ name }) => ({ file: join(buildDir, `yolox_ops.${name}.node`), level: name }))
    .findLast(({ file }) => existsSync(file));
}
