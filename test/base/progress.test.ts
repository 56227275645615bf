import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { screenOf } from './screen.js';

const test = suite('progress on a terminal');
const COLUMNS = 60;
const PROGRAM = [process.execPath, '--import', 'tsx', join(import.meta.dirname, 'progress_program.ts')];

/** Runs the program in a terminal, sends it a signal once it is ready; what is on the screen then, and how it ended. */
function run(signal: 'INT' | 'TERM' | 'none', ending: 'stop' | 'wait' | 'throw') {
  const script = join(import.meta.dirname, 'terminal.py');
  const { stdout } = spawnSync('python3', [script, signal, ...PROGRAM, ending], { encoding: 'utf8', timeout: 60_000 });
  const written = stdout.slice(0, stdout.lastIndexOf('\n'));
  return { ...screenOf(written, COLUMNS), exit: stdout.slice(stdout.lastIndexOf('\n') + 1) };
}

const LONG = `a line ${'longer '.repeat(8)}than the terminal`;
/** What three epochs say; a line too long for the terminal wraps. */
const NEWS = [1, 2, 3].flatMap((epoch) => {
  const long = `epoch ${epoch}: ${LONG}`;
  return [`epoch ${epoch}: begun`, long.slice(0, COLUMNS).trimEnd(), long.slice(COLUMNS)];
});

test('bars inside bars leave no line, lines come whole and in order above them', () => {
  const { lines, modes, exit } = run('none', 'stop');
  assert.equal(lines.slice(0, NEWS.length), NEWS);
  const rest = lines.slice(NEWS.length).join('\n');
  assert.match(rest, /^train 3\/3 loss 9{40,}\n9+ longer than the terminal is wide\nafter\n?$/);
  assert.is(modes.size, 0);
  assert.is(exit, 'exit 0');
});

for (const [signal, code] of [
  ['INT', 130],
  ['TERM', 143],
] as const) {
  test(`SIG${signal} ends with ${code}, no bar left and the terminal as it was`, () => {
    const { lines, modes, exit } = run(signal, 'wait');
    assert.equal(lines.slice(0, NEWS.length), NEWS);
    // A terminal shows Ctrl-C where the cursor is, which is cleared with the bars.
    assert.equal(lines.slice(NEWS.length).filter(Boolean), ['ready']);
    assert.is(modes.size, 0);
    assert.is(exit, `exit ${code}`);
  });
}

test('an error ends with no bar left and the terminal as it was', () => {
  const { lines, modes, exit } = run('none', 'throw');
  assert.not.match(lines.join('\n'), 'train =');
  assert.match(lines.join('\n'), 'Error: planted');
  assert.is(modes.size, 0);
  assert.is(exit, 'exit 1');
});

test.run();
