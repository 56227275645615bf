import { appendFileSync, existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDir, writeAtomic } from '../../base/files.js';
import { tf } from '../../kernels/tf.js';
import type { TrainingLogEntry } from '../../report/training_report.js';

/** The run's history: JSON lines for programs, TensorBoard event files for people. */
export class TrainingLog {
  readonly path: string;
  readonly #board;

  private constructor(path: string, boardDir: string) {
    this.path = path;
    this.#board = tf.node.summaryFileWriter(boardDir);
  }

  /** Opens the log of a run that has completed `epochs`; what an interrupted epoch left is dropped. */
  static async open(dir: string, epochs: number): Promise<TrainingLog> {
    const path = join(dir, 'log.jsonl');
    const entries = existsSync(path) ? await readLog(path) : [];
    const kept = entries.filter(({ epoch }) => epoch <= epochs);
    await writeAtomic(path, kept.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    const boardDir = join(dir, 'tensorboard');
    await rm(boardDir, { recursive: true, force: true });
    await makeDir(boardDir);
    const log = new TrainingLog(path, boardDir);
    let step = 0;
    for (const entry of kept) {
      if (entry.event === 'step') step = entry.step;
      log.#toBoard(entry, step);
    }
    return log;
  }

  write(entry: TrainingLogEntry, step: number): void {
    appendFileSync(this.path, `${JSON.stringify(entry)}\n`);
    this.#toBoard(entry, step);
  }

  flush(): void {
    this.#board.flush();
  }

  #toBoard({ event, ...values }: TrainingLogEntry, step: number): void {
    for (const [name, value] of Object.entries(values)) {
      if (typeof value === 'number' && name !== 'step') this.#board.scalar(`${event}/${name}`, value, step);
    }
  }
}

/** The entries of a log; a last line cut short by a crash is left out. */
export async function readLog(path: string): Promise<TrainingLogEntry[]> {
  const lines = (await readFile(path, 'utf8')).split('\n');
  return lines.slice(0, -1).map((line) => JSON.parse(line));
}
