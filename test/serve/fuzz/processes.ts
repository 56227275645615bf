import { readdirSync, readFileSync } from 'node:fs';

/** A process and all that it and those started from their main threads. */
export function familyOf(pid: number): number[] {
  const children = textOf(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
  return [pid, ...children.flatMap(familyOf)];
}

/** Processes that any thread of one started, and those that they did. */
export function descendantsOf(pid: number): number[] {
  const children = threadsOf(pid).flatMap((thread) =>
    textOf(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Bytes that processes hold in memory now, or held at most. */
export function residentBytes(pids: readonly number[], field: 'VmRSS' | 'VmHWM' = 'VmRSS'): number {
  const kilobytes = pids.map((pid) => Number(textOf(`/proc/${pid}/status`).match(`${field}:\\s*(\\d+) kB`)?.[1] ?? 0));
  return 1024 * kilobytes.reduce((sum, value) => sum + value, 0);
}

/** Empty for a process that has just ended. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
