import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import type { Command } from '../../src/cli/command.js';
import { exportOnnxCommand } from '../../src/cli/commands/export_onnx.js';
import { importWeightsCommand } from '../../src/cli/commands/import_weights.js';
import { loadTestCommand } from '../../src/cli/commands/load_test.js';
import { packCommand } from '../../src/cli/commands/pack.js';
import { runCommandLine } from '../../src/cli/parser.js';

const root = mkdtempSync(join(tmpdir(), 'cli-outputs-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));

const at = (name: string) => join(root, name);

mkdirSync(at('in'));
for (const name of ['w.onnx', 'result.json', 'report.html']) writeFileSync(at(`in/${name}`), name);
symlinkSync(at('in'), at('link'));

async function refused(command: Command, ...args: string[]): Promise<string> {
  try {
    await runCommandLine(args, [command]);
  } catch (error) {
    assert.instance(error, UserError);
    return (error as UserError).message;
  }
  throw new Error('It ran.');
}

const test = suite('outputs of commands replace no input');

const WEIGHTS = at('in/w.onnx');
const URL = 'http://127.0.0.1:9/predict';

for (const [command, ...args] of [
  [exportOnnxCommand, 'export-onnx', '--weights', WEIGHTS, '--out', at('link/w.onnx')],
  [importWeightsCommand, 'import-weights', WEIGHTS, '--out', WEIGHTS],
  [packCommand, 'pack', '--weights', WEIGHTS, '--out', at('in')],
  [packCommand, 'pack', '--weights', 'absent.onnx', '--image', WEIGHTS, '--out', root],
  [loadTestCommand, 'load-test', URL, '--image', WEIGHTS, '--baseline', at('in/result.json'), '--out', at('link')],
  [loadTestCommand, 'load-test', URL, '--image', at('in/report.html'), '--out', at('in')],
] as [Command, ...string[]][]) {
  test(args.join(' ').replaceAll(root, ''), async () => {
    assert.match(await refused(command, ...args), 'would be replaced');
    assert.equal(readdirSync(at('in')).sort(), ['report.html', 'result.json', 'w.onnx']);
    assert.is(readFileSync(WEIGHTS, 'utf8'), 'w.onnx');
  });
}

test('pack replaces a bundle, but no folder that holds more', async () => {
  mkdirSync(at('bundle'));
  writeFileSync(at('bundle/bundle.json'), JSON.stringify({ files: { 'model.onnx': '' } }));
  writeFileSync(at('bundle/notes.txt'), 'mine');
  assert.match(await refused(packCommand, 'pack', '--weights', WEIGHTS, '--out', at('bundle')), 'holds only a bundle');
  assert.is(readFileSync(at('bundle/notes.txt'), 'utf8'), 'mine');
});

test.run();
