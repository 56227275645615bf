import { appendFileSync, existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../base/errors.js';
import { makeDir, readText, writeAtomic } from '../../base/files.js';
import { tf } from '../../kernels/tf.js';
import type { TrainingLogEntry } from '../../report/training_report.js';
import { START_OVER } from './checkpoint.js';

/** The run's history: JSON lines for programs, TensorBoard event files for people. */
export class TrainingLog {
  readonly path: string;
  readonly #board;

  private constructor(path: string, boardDir: string) {
    this.path = path;
    this.#board = tf.node.summaryFileWriter(boardDir);
  }

  /** Opens the log of a run that has completed `epochs`; entries of an interrupted epoch are dropped. */
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

/**
 * Reads the entries of a log, without a last line that a crash has cut short. @throws UserError if another line is
 * damaged
 */
export async function readLog(path: string): Promise<TrainingLogEntry[]> {
  const lines = (await readText(path)).split('\n');
  return lines.slice(0, -1).map((line, i) => {
    try {
      return JSON.parse(line);
    } catch (error) {
      const problem = { where: path, field: `line ${i + 1}`, expected: 'JSON', received: line, hint: START_OVER };
      throw new UserError(problem, { cause: error });
    }
  });
}
