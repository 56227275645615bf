import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import yazl from 'yazl';
import { UserError } from '../../../src/base/errors.js';
import { loadWeights } from '../../../src/model/weights/load.js';
import { recogniseDetector, recogniseZip } from '../../../src/model/weights/other_formats.js';

const test = suite('files that are no weights');
let dir: string;
test.before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weights-other-'));
});
test.after(() => rm(dir, { recursive: true }));

const hex = (start: string, length = 300) => Buffer.concat([Buffer.from(start, 'hex'), Buffer.alloc(length)]);
const at = (offset: number, text: string) => Buffer.concat([Buffer.alloc(offset, 1), Buffer.from(text)]);

const FILES: [what: string, content: string | Buffer, message: RegExp][] = [
  ['nothing', '', /it is an empty file\. Download or copy/],
  ['a pointer of Git LFS', 'version https://git-lfs.github.com/spec/v1\n', /pointer of Git LFS\. `git lfs pull`/],
  ['a web page', '<!DOCTYPE html><title>Virus scan warning</title>', /a web page\. Download the file itself/],
  ['an error of a server', 'Not Found', /it is the text "Not Found"\. Download/],
  ['zeros', Buffer.alloc(1000), /nothing but zeros/],
  ['gzip', gzipSync('weights'), /an archive \(gzip\)\. Unpack it/],
  ['tar', at(257, 'ustar'), /an archive \(tar\)\. Unpack it/],
  ['HDF5', hex('894844460d0a1a0a'), /HDF5.*Give the torch checkpoint or the ONNX file/],
  ['TensorFlow Lite', at(4, 'TFL3'), /TensorFlow Lite.*Give the torch checkpoint/],
  ['TensorRT', 'ftrt\0\0\0', /an engine of TensorRT/],
  ['a pickle', hex('800495'), /a pickle that torch did not write\. Save the state dict/],
  ['ONNX that is cut off', hex('08070001', 3), /expected an ONNX model.*cut off or damaged/],
];

for (const [what, content, message] of FILES) {
  test(`${what} is named with the remedy`, async () => {
    const path = join(dir, 'weights.pth');
    await writeFile(path, content);
    const error = await loadWeights(path).catch((thrown: unknown) => thrown);
    assert.instance(error, UserError);
    assert.match((error as UserError).message, message);
  });
}

test('archives that torch did not write, and models of TorchScript, are named', async () => {
  assert.match(recogniseZip(['a/yolox.pth', 'a/readme.txt']).what, /archive of a\/yolox\.pth, a\/readme\.txt$/);
  assert.is(recogniseZip(['a.npy', 'b.npy']).what, 'arrays of NumPy');
  const path = join(dir, 'script.pt');
  const zip = new yazl.ZipFile();
  for (const name of ['data', 'constants']) zip.addBuffer(Buffer.from('N.'), `m/${name}.pkl`, { compress: false });
  zip.end();
  await writeFile(path, await buffer(zip.outputStream));
  const error = await loadWeights(path).catch((thrown: unknown) => thrown);
  assert.match(String(error), /it is a model of TorchScript\. Save model\.state_dict\(\)/);
});

test('other detectors are told by their names, YOLOX is none of them', () => {
  const NAMES: [string, RegExp][] = [
    ['model.22.dfl.conv.weight', /Ultralytics/],
    ['model: model.0.conv.weight', /Ultralytics/],
    ['module_list.0.Conv2d.weight', /Darknet/],
    ['state_dict: rpn_head.rpn_conv.weight', /two stages/],
    ['model: transformer.decoder.norm.weight', /DETR/],
    ['layer1.0.conv1.weight', /classifier/],
  ];
  for (const [name, what] of NAMES) assert.match(recogniseDetector(['x', name]) ?? '', what);
  for (const name of ['backbone.backbone.dark2.0.conv.weight', 'head.class_preds.0.weight', 'bbox_head.conv.weight'])
    assert.is(recogniseDetector([name]), undefined);
});

test.run();
