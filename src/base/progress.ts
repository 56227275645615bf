import { stderr } from 'node:process';
import { clearScreenDown } from 'node:readline';
import cliProgress, { type GenericFormatter, MultiBar } from 'cli-progress';
import { beforeExit } from './ending.js';

/** Seconds between plain lines when stderr is not a terminal. */
const LINE_INTERVAL_S = 5;

export interface Progress {
  /** Sets the number done so far; `note` is a short text shown beside it (losses, throughput). */
  update(done: number, note?: string): void;
  stop(): void;
}

/** Shows progress on stderr: a bar on a terminal, elsewhere a line every few seconds. */
export function startProgress(label: string, total: number): Progress {
  return stderr.isTTY ? bar(label, total) : lines(label, total);
}

/** Milliseconds between redraws of the bars. */
const REDRAW_MS = 100;

/** Columns to the right of a bar, where a terminal shows Ctrl-C without a line of its own. */
const MARGIN = 3;

/** Formats a bar, cut to the width of the terminal. */
const drawBar: GenericFormatter = (options, params, payload) => {
  const format = '{label} {bar} {value}/{total} ETA {eta_formatted} {note}';
  const width = Math.max(1, (stderr.columns || 80) - MARGIN);
  return cliProgress.Format.Formatter({ ...options, format }, params, payload).slice(0, width);
};

/** What the terminal shows: the running bars, below all lines written so far. */
interface Display {
  bars: MultiBar;
  active: number;
  drawn: number;
  forget: () => void;
}

let display: Display | undefined;

/**
 * One view draws all bars, so that nested bars get their own lines. The cursor stays visible, and bars are cut to the
 * width of the terminal instead of turning off line wrapping, so there is nothing to restore however the process ends.
 */
function openDisplay(): Display {
  const bars = new MultiBar({
    stream: stderr,
    format: drawBar,
    barsize: 20,
    fps: 1000 / REDRAW_MS,
    hideCursor: false,
    linewrap: true,
    clearOnComplete: true,
    forceRedraw: true,
  });
  // Log lines are written over the bars, which may be longer.
  bars.on('redraw-pre', () => clearScreenDown(stderr));
  return { bars, active: 0, drawn: 0, forget: beforeExit(closeProgress) };
}

/** Removes all bars from the terminal, so that further output starts on a clean line. */
export function closeProgress(): void {
  if (!display) return;
  const { bars, forget } = display;
  display = undefined;
  forget();
  bars.stop();
}

/** Draws immediately, because the view's timer does not run while a step computes. */
function draw(shown: Display): void {
  shown.drawn = performance.now();
  shown.bars.update();
}

/** Starts a bar. The outermost bar leaves a line when it stops, nested bars leave nothing. */
function bar(label: string, total: number): Progress {
  display ??= openDisplay();
  const own = display;
  const outermost = own.active++ === 0;
  const view = own.bars.create(total, 0, { label, note: '' });
  let last = `${label} 0/${total}`;
  let stopped = false;
  return {
    update(done, note = '') {
      if (stopped || own !== display) return;
      last = `${label} ${done}/${total} ${note}`.trimEnd();
      view.update(done, { note });
      if (performance.now() - own.drawn >= REDRAW_MS) draw(own);
    },
    stop() {
      if (stopped || own !== display) return;
      stopped = true;
      own.active--;
      own.bars.remove(view);
      if (own.active === 0) closeProgress();
      if (outermost) log(last);
    },
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

/** Logs one line for people on stderr, above the bars. */
export function log(line: string): void {
  if (!display) {
    stderr.write(`${line}\n`);
    return;
  }
  display.bars.log(`${line}\n`);
  draw(display);
}

/** 75 → `1m15s`. */
export function formatSeconds(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const h = Math.floor(s / 3600);
  const m = Math.floor((s % 3600) / 60);
  if (h > 0) return `${h}h${String(m).padStart(2, '0')}m`;
  return m > 0 ? `${m}m${String(s % 60).padStart(2, '0')}s` : `${s}s`;
}
