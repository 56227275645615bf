import { rmSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { makeDir } from './make_dir.mjs';

const PREFIX = 'staging-';
const DAY_MS = 86_400_000;

const open = new Set();

/** Runs `work` with a fresh folder inside `parent`, which is removed afterwards; finished parts are renamed out of it. */
export async function withStaging(parent, work) {
  makeDir(parent);
  const dir = await mkdtemp(join(parent, `${PREFIX}${hostname()}-${process.pid}-`));
  open.add(dir);
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
    open.delete(dir);
  }
}

/** Removes the folders of this process at once; for the moment it is told to stop. */
export function removeStaging() {
  for (const dir of open) rmSync(dir, { recursive: true, force: true });
}

/** Removes what killed set-ups of this machine left behind, and anything older than a day from others sharing `parent`. */
export async function sweepStaging(parent) {
  const names = await readdir(parent).catch(() => []);
  for (const name of names.filter((name) => name.startsWith(PREFIX))) {
    const path = join(parent, name);
    const [, host, pid] = name.match(/^staging-(.*)-(\d+)-\w+$/) ?? [];
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: 0 }));
    const abandoned = host === hostname() ? !isAlive(Number(pid)) : Date.now() - mtimeMs > DAY_MS;
    // A command of the killed set-up may still be writing there; what it leaves goes the next time.
    if (abandoned) await rm(path, { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
