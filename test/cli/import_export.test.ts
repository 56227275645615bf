import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { exportOnnxCommand } from '../../src/cli/commands/export_onnx.js';
import { importWeightsCommand } from '../../src/cli/commands/import_weights.js';
import { runCommandLine } from '../../src/cli/parser.js';
import { preprocessSchema } from '../../src/config/preprocess.js';
import { fitWeights } from '../../src/model/weights/fit.js';
import { initialWeights } from '../../src/model/weights/init.js';
import { loadWeights } from '../../src/model/weights/load.js';
import { writeSafetensors } from '../../src/model/weights/safetensors.js';

const PICO = { depth: 0.33, width: 0.125, depthwise: true, classes: 80 };

let dir: string;
const test = suite('import-weights and export-onnx');
test.before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'import-export-'));
  await writeSafetensors(join(dir, 'foreign.safetensors'), initialWeights(PICO, 1));
});
test.after(() => rm(dir, { recursive: true }));

const run = (...args: string[]) => runCommandLine(args, [importWeightsCommand, exportOnnxCommand]);

const file = (name: string) => join(dir, name);
const importing = (from: string, to: string, ...flags: string[]) =>
  run('import-weights', file(from), '--out', file(to), '--json', ...flags);

test('foreign weights get what they lack: architecture, preprocessing, COCO names, source', async () => {
  await importing('foreign.safetensors', 'ours.safetensors', '--size', '64', '96', '--no-legacy');
  const { info, weights } = await loadWeights(file('ours.safetensors'));
  assert.equal(info?.architecture, PICO);
  assert.equal(info?.preprocess, preprocessSchema.parse({ size: [64, 96] }));
  assert.equal([info?.categories?.length, info?.categories?.[79].name], [80, 'toothbrush']);
  assert.match(info?.source ?? '', /^foreign\.safetensors sha256:[0-9a-f]{64}$/);
  assert.equal(fitWeights(weights, PICO).report.missing, []);
});

test('legacy preprocessing is as told', async () => {
  await importing('foreign.safetensors', 'legacy.safetensors', '--legacy');
  const { info } = await loadWeights(file('legacy.safetensors'));
  assert.is(info?.preprocess.color, 'rgb');
});

test('from ONNX to safetensors and back nothing is lost', async () => {
  await importing('foreign.safetensors', 'a.safetensors', '--size', '64', '64');
  const exporting = (from: string, to: string) =>
    run('export-onnx', '--weights', file(from), '--out', file(to), '--json');
  await exporting('a.safetensors', 'model.onnx');
  await importing('model.onnx', 'b.safetensors');
  await exporting('b.safetensors', 'model2.onnx');
  await importing('model2.onnx', 'c.safetensors');
  assert.ok((await readFile(file('b.safetensors'))).equals(await readFile(file('c.safetensors'))));
  const { folded, info } = await loadWeights(file('c.safetensors'));
  assert.equal([folded, info], [true, (await loadWeights(file('a.safetensors'))).info]);
});

test.run();
