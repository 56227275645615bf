/** What a terminal shows after what a program wrote to it. */
export interface Screen {
  /** From the top, without spaces at the end. */
  lines: string[];
  /** Private modes that are not as a terminal starts: `25` the cursor hidden, `7` no line wrap. */
  modes: Set<string>;
}

/** A control sequence after its escape character. */
const SEQUENCE = /^\[(\??)([\d;]*)([A-Za-z])/;
/** Modes a terminal starts with: a visible cursor, wrapped lines. */
const ON_AT_FIRST = new Set(['25', '7']);

/** A terminal of endless height, as far as programs here use one. @throws Error for a sequence it does not know */
export function screenOf(written: string, columns: number): Screen {
  const rows: string[][] = [[]];
  const modes = new Set<string>();
  let [row, column] = [0, 0];
  const line = (index: number) => {
    while (rows.length <= index) rows.push([]);
    return rows[index];
  };
  const put = (character: string) => {
    // A terminal wraps when the next character comes, not before.
    if (column === columns) [row, column] = [row + 1, 0];
    const cells = line(row);
    while (cells.length < column) cells.push(' ');
    cells[column++] = character;
  };
  const obey = (mode: string, argument: string, command: string) => {
    const count = Number(argument);
    if (mode === '?' && 'hl'.includes(command)) {
      const isOn = command === 'h';
      if (isOn === ON_AT_FIRST.has(argument)) modes.delete(argument);
      else modes.add(argument);
    } else if (command === 'A') row = Math.max(0, row - Math.max(1, count));
    else if (command === 'B') row += Math.max(1, count);
    else if (command === 'G') column = Math.max(1, count) - 1;
    else if (command === 'J' && count === 0) rows.splice(row, Number.POSITIVE_INFINITY, line(row).slice(0, column));
    else if (command === 'K' && count === 0) line(row).splice(column);
    else if (command === 'K' && count === 2) line(row).splice(0);
    else if (command !== 'm') throw new Error(`unknown sequence ${mode}${argument}${command}`);
  };
  for (let i = 0; i < written.length; ) {
    const sequence = written[i] === '\x1b' ? SEQUENCE.exec(written.slice(i + 1, i + 20)) : null;
    if (sequence) obey(sequence[1], sequence[2], sequence[3]);
    else if (written[i] === '\r') column = 0;
    else if (written[i] === '\n') row++;
    else put(written[i]);
    i += 1 + (sequence?.[0].length ?? 0);
  }
  return { lines: rows.map((cells) => cells.join('').trimEnd()), modes };
}
