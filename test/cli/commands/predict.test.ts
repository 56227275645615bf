import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readJson } from '../../../src/base/files.js';
import type { Answer } from '../../../src/serve/http/answer.js';
import { makeBundle, randomJpeg } from '../../serve/make_bundle.js';

const test = suite('predict');
const CLI = resolve(import.meta.dirname, '../../../bin/yolox.mjs');
let bundle: string;
let dir: string;

test.before(async () => {
  bundle = await makeBundle();
  dir = await mkdtemp(join(tmpdir(), 'yolox-predict-'));
});
test.after(async () => {
  for (const folder of [bundle, dir]) await rm(folder, { recursive: true });
});

/** Exit code and streams of the command. */
function predict(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((done) => {
    execFile(process.execPath, [CLI, 'predict', ...args], (error, stdout, stderr) =>
      done({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

test('a bad image among good ones is reported; the others are answered and drawn', async () => {
  const [good, bad, absent] = [join(bundle, 'test_image.jpg'), join(dir, 'bad.jpg'), join(dir, 'absent.jpg')];
  const twin = join(dir, 'other', 'test_image.jpg');
  await writeFile(bad, 'not an image');
  await mkdir(join(dir, 'other'));
  await writeFile(twin, await randomJpeg(2));
  const out = join(dir, 'out');

  const { code, stdout, stderr } = await predict('--bundle', bundle, good, bad, absent, twin, '--json', '--out', out);
  assert.is(code, 2, stderr);
  assert.match(stderr, `${bad}: expected an image`);
  assert.match(stderr, absent);
  assert.not.match(stderr, /\bat .+:\d+:\d+/);

  const { images, failed } = JSON.parse(stdout);
  assert.is(failed, 2);
  assert.equal(
    images.map(({ image }: { image: string }) => image),
    [good, bad, absent, twin],
  );
  const { annotations, width, height } = await readJson<Answer>(join(bundle, 'test_result.json'));
  assert.equal([images[0].width, images[0].height], [width, height]);
  assert.equal(
    images[0].detections.map(({ bbox, category_id, score }: Record<string, unknown>) => ({
      bbox,
      category_id,
      score,
    })),
    annotations.map(({ bbox, category_id, score }) => ({ bbox, category_id, score })),
  );
  assert.match(images[1].error, bad);
  assert.equal(images[3].annotated, join(out, 'test_image-2.jpg'));
  for (const { annotated } of [images[0], images[3]]) {
    const { format, width } = await sharp(annotated).metadata();
    assert.equal([format, width], ['jpeg', 150]);
  }
});

test.run();
