import { stderr } from 'node:process';
import { SingleBar } from 'cli-progress';

/** Seconds between plain lines when stderr is not a terminal. */
const LINE_INTERVAL_S = 5;

export interface Progress {
  /** Sets the count done so far; `note` is a short text shown beside it (losses, throughput). */
  update(done: number, note?: string): void;
  stop(): void;
}

/** A bar on a terminal, a line every few seconds elsewhere; always on stderr. */
export function startProgress(label: string, total: number): Progress {
  return stderr.isTTY ? bar(label, total) : lines(label, total);
}

function bar(label: string, total: number): Progress {
  const view = new SingleBar({
    format: `${label} {bar} {value}/{total} ETA {eta_formatted} {note}`,
    stream: stderr,
    hideCursor: true,
  });
  view.start(total, 0, { note: '' });
  return {
    update: (done, note = '') => view.update(done, { note }),
    stop: () => view.stop(),
  };
}

function lines(label: string, total: number): Progress {
  const start = performance.now();
  let last = start;
  let first: number | undefined;
  return {
    update(done, note = '') {
      first ??= done;
      const now = performance.now();
      if (done < total && now - last < LINE_INTERVAL_S * 1000) return;
      last = now;
      const eta = done > first ? (((now - start) / (done - first)) * (total - done)) / 1000 : Number.NaN;
      log(`${label} ${done}/${total}${Number.isFinite(eta) ? ` ETA ${formatSeconds(eta)}` : ''} ${note}`.trimEnd());
    },
    stop() {},
  };
}

/** One line of news for a person, on stderr. */
export function log(line: string): void {
  stderr.write(`${line}\n`);
}

/** 75 → `1m15s`. */
export function formatSeconds(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const h = Math.floor(s / 3600);
  const m = Math.floor((s % 3600) / 60);
  if (h > 0) return `${h}h${String(m).padStart(2, '0')}m`;
  return m > 0 ? `${m}m${String(s % 60).padStart(2, '0')}s` : `${s}s`;
}
