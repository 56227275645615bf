import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ApiError } from '../../../src/serve/api_error.js';
import type { Answer, RefusedImage } from '../../../src/serve/http/answer.js';
import { randomJpeg } from '../make_bundle.js';
import { form, type RealApp, realApp, refusal, statusAndCode } from './real_app.js';

const test = suite('predict');
let real: RealApp;

test.before(async () => {
  real = await realApp({ maxFiles: 4 });
});
test.after(() => real.close());

const file = (name: string, bytes: string | Uint8Array<ArrayBuffer> = real.image) =>
  new File([bytes], name, { type: 'image/jpeg' });
const list = async (response: Response) => ((await response.json()) as { answers: (Answer | RefusedImage)[] }).answers;

test('several files are answered in their order, each as it would be alone', async () => {
  const other = await randomJpeg(7, 70, 120);
  const parts: [string, File][] = [
    ['a', file('zwei Bäume 木.jpg')],
    ['a', file('b.jpg', new Uint8Array(other))],
    ['c', file('c.jpg')],
  ];
  const response = await real.post(form(...parts), undefined, '/predict?image_id=5');
  assert.is(response.status, 200);
  const answers = await list(response);
  for (const [i, [field, alone]] of parts.entries()) {
    const single = await real.post(form([field, alone]), undefined, `/predict?image_id=${5 + i}`);
    assert.equal(answers[i], await single.json());
  }
  assert.equal(
    answers.map(({ file_name }) => file_name),
    ['zwei Bäume 木.jpg', 'b.jpg', 'c.jpg'],
  );
});

test('of several images the good ones are answered and the bad ones named', async () => {
  const body = form(['a', file('good')], ['a', file('bad', 'no image')], ['a', file('empty', '')], ['a', file('too')]);
  const answers = await list(await real.post(body));
  assert.equal(
    answers.map((answer) => ('error' in answer ? answer.error.code : answer.annotations.length)),
    [real.reference.annotations.length, 'undecodable', 'empty_body', real.reference.annotations.length],
  );
  assert.equal([answers[1].file_name, answers[1].image_id], ['bad', 1]);
  const { status, message } = await refusal(
    real.post(form(['a', file('good')], ['a', file('bad', 'no')]), undefined, '/predict?format=coco'),
  );
  assert.is(status, 422);
  assert.match(message, /^Image 2 \(bad\): /);
});

test('too many images are refused, and parts that are no files', async () => {
  const files = (count: number) => Array.from({ length: count }, (_, i): [string, File] => ['a', file(`${i}`)]);
  assert.is((await real.post(form(...files(4)))).status, 200);
  assert.equal(await statusAndCode(real.post(form(...files(5)))), [413, 'too_many_images']);
  assert.equal(await statusAndCode(real.post(form(...files(1), ['text', 'x']))), [400, 'not_files']);
});

test('an overloaded model refuses the whole list, before its body is read and after', async () => {
  const { model } = real;
  const busy = new ApiError({ code: 'overloaded', message: 'Busy.' }, { retryAfter: 2 });
  const { check, admit, detect } = model;
  model.detect = () => assert.unreachable('detected') as never;
  let left = 0;
  let taken = 0;
  model.admit = () => {
    if (taken === 2) throw busy;
    taken++;
    return { deadline: 0, measure() {}, leave: () => left++ };
  };
  const answer = await real.post(form(['a', file('1')], ['a', file('2')], ['a', file('3')]));
  assert.is(answer.headers.get('retry-after'), '2');
  assert.equal([...(await statusAndCode(answer)), taken, left], [503, 'overloaded', 2, 2]);
  Object.assign(model, { admit, detect });

  model.check = () => {
    throw busy;
  };
  let read = false;
  const body = new ReadableStream(
    {
      pull(controller) {
        read = true;
        controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  const early = real.app.request('/predict', { method: 'POST', body, duplex: 'half' } as RequestInit);
  assert.equal([...(await statusAndCode(early)), read], [503, 'overloaded', false]);
  model.check = check;
});

test('a fault of the model is nobody’s image: the whole request fails, and says no more', async () => {
  const { model } = real;
  const { admit, detect } = model;
  let left = 0;
  model.admit = () => ({ deadline: 0, measure() {}, leave: () => left++ });
  model.detect = () => Promise.reject(new Error('secret of the house'));
  const failed = await refusal(real.post(form(['a', file('1')], ['a', file('2')])));
  assert.equal([failed.status, failed.code, left], [500, 'internal', 2]);
  assert.not.match(JSON.stringify(failed), 'secret');
  Object.assign(model, { admit, detect });
});

test('format=coco is COCO’s results list, of all images', async () => {
  const { annotations } = real.reference;
  const expected = (image_id: number) =>
    annotations.map(({ category_id, bbox, score }) => ({ image_id, category_id, bbox, score }));
  const one = await real.post(real.image, 'image/jpeg', '/predict?format=coco&image_id=9');
  assert.equal(await one.json(), expected(9));
  const two = await real.post(form(['a', file('1')], ['b', file('2')]), undefined, '/predict?format=coco&image_id=9');
  assert.equal(await two.json(), [...expected(9), ...expected(10)]);
});

test('format=png, or Accept, gives the image back with its boxes', async () => {
  const asked = await real.post(real.image, 'image/jpeg', '/predict?format=png');
  assert.is(asked.headers.get('content-type'), 'image/png');
  const png = Buffer.from(await asked.arrayBuffer());
  const { format, width, height, channels } = await sharp(png).metadata();
  assert.equal([format, width, height, channels], ['png', real.reference.width, real.reference.height, 3]);
  const { entropy: plain } = await sharp(real.image).stats();
  assert.not.equal((await sharp(png).stats()).entropy, plain);

  const accepting = (accept: string, query = '') =>
    real.app.request(`/predict${query}`, { method: 'POST', body: real.image, headers: { accept } });
  assert.equal(Buffer.from(await (await accepting('image/png')).arrayBuffer()), png);
  for (const accept of ['*/*', 'application/json, image/png;q=0.5', 'text/html']) {
    assert.equal(await (await accepting(accept)).json(), real.reference);
  }
  assert.equal(await (await accepting('image/png', '?format=json')).json(), real.reference);
  const several = real.post(form(['a', file('1')], ['a', file('2')]), undefined, '/predict?format=png');
  assert.equal(await statusAndCode(several), [400, 'png_of_several']);
});

test('every answer of a model names its version', async () => {
  const { name, version } = real.bundle;
  for (const response of [
    await real.post(real.image),
    await real.post('no image'),
    await real.post(real.image, undefined, '/predict?conf=9'),
    await real.app.request('/test_data'),
  ]) {
    assert.is(response.headers.get('x-model-version'), `${name}@${version}`);
  }
});

test.run();
