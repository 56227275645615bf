import fc from 'fast-check';
import type { Locator } from 'playwright-core';
import * as assert from 'uvu/assert';
import { classColor } from '../../src/image/colors.js';
import type { Answer } from '../../src/serve/http/answer.js';
import { randomJpeg } from '../serve/make_bundle.js';
import { Scene } from './scene.js';

const scene = new Scene();
const test = scene.suite('page');

/** Left, top, width, height in the image's pixels, of an element that lies over it. */
async function placeOf(box: Locator, { width, height }: Answer): Promise<number[]> {
  const [at, image] = [await box.boundingBox(), await scene.page.locator('#frame img').boundingBox()];
  if (!at || !image) return assert.unreachable('not visible') as never;
  const [x, y] = [width / image.width, height / image.height];
  return [(at.x - image.x) * x, (at.y - image.y) * y, at.width * x, at.height * y];
}

test('the sample has the boxes, rows and JSON of the reference answer', async () => {
  await scene.trySample();
  const reference = (await (await fetch(`${scene.server.url}/test_result`)).json()) as Answer;
  assert.equal(await scene.shown(), reference);
  assert.is(await scene.page.locator('.box').count(), reference.annotations.length);
  for (const { id, bbox, category_id, score } of reference.annotations) {
    const index = reference.categories.findIndex((category) => category.id === category_id);
    const { name } = reference.categories[index];
    const box = scene.page.locator(`.box[data-id="${id}"]`);
    const place = await placeOf(box, reference);
    place.forEach((value, i) => {
      assert.ok(Math.abs(value - bbox[i]) < 0.5, `${place} for ${bbox}`);
    });
    const colour = classColor(index);
    const channels = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
    assert.is(
      await box.evaluate((node) => node.ownerDocument.defaultView.getComputedStyle(node).borderLeftColor),
      `rgb(${channels.join(', ')})`,
    );
    assert.is(await box.textContent(), `${name} ${score.toFixed(2)}`);
    const cells = await scene.page.locator(`#objects tr:nth-child(${id}) > *`).allTextContents();
    assert.equal(cells, [name, score.toFixed(3), ...bbox.map((value) => value.toFixed(1))]);
  }
  assert.match(await scene.page.locator('#summary').innerText(), `${reference.annotations.length} objects: `);
});

test('the model, the round trip and the stages of the server are told', async () => {
  await scene.trySample();
  assert.is(await scene.page.locator('#model').textContent(), 'pattern 1');
  const [total, ...parts] = (await scene.page.locator('#total, #stage-times dd').allTextContents()).map(
    Number.parseFloat,
  );
  const names = await scene.page.locator('#stage-times dt').allTextContents();
  for (const stage of ['decode', 'queue', 'letterbox', 'inference', 'post']) assert.ok(names.includes(stage), stage);
  assert.is(names.at(-1), 'network and browser');
  const sum = parts.reduce((all, ms) => all + ms, 0);
  // Each is rounded for reading, to a millisecond or a tenth.
  assert.ok(Math.abs(sum - total) <= 0.5 * (parts.length + 1), `${sum} ms of ${total}`);
});

test('an image can be chosen, dropped and pasted', async () => {
  const images = await Promise.all([2, 3, 4].map((seed) => randomJpeg(seed)));
  const chooser = scene.page.waitForEvent('filechooser');
  await scene.page.getByRole('button', { name: 'Choose an image' }).click();
  await (await chooser).setFiles({ name: 'chosen.jpg', mimeType: 'image/jpeg', buffer: images[0] });
  await scene.answered('chosen.jpg');
  assert.equal(await scene.shown(), await scene.predict(images[0]));

  for (const [i, event] of ['drop', 'paste'].entries()) {
    await scene.page.evaluate(`(() => {
      const bytes = Uint8Array.from(atob('${images[i + 1].toString('base64')}'), (c) => c.charCodeAt(0));
      const data = new DataTransfer();
      data.items.add(new File([bytes], '${event}.jpg', { type: 'image/jpeg' }));
      const init = { bubbles: true, cancelable: true, dataTransfer: data, clipboardData: data };
      const { body } = document;
      body.dispatchEvent('${event}' === 'drop' ? new DragEvent('drop', init) : new ClipboardEvent('paste', init));
    })()`);
    await scene.answered(`${event}.jpg`);
    assert.equal(await scene.shown(), await scene.predict(images[i + 1]));
    assert.match(await scene.page.locator('#curl').inputValue(), `'@${event}.jpg'`);
  }
});

test('what is shown after any changes of the settings is what the service answers to them', async () => {
  await scene.trySample();
  const image = Buffer.from(await (await fetch(`${scene.server.url}/test_data`)).arrayBuffer());
  const hundredths = (min: number) => fc.integer({ min, max: 100 }).map((value) => value / 100);
  const steps = fc.record(
    {
      conf: hundredths(1),
      iou: hundredths(0),
      max: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constant(300)),
      classes: fc.subarray(['1', '2', '3']),
    },
    { requiredKeys: [] },
  );
  const now = { conf: 0.2, iou: 0.5, max: 20, classes: [] as string[] };
  const seen = new Set<number>();
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 1, maxLength: 3 }), async (changes) => {
      // One after the other without waiting, so that answers come to questions that are no longer asked.
      for (const change of changes) {
        Object.assign(now, change);
        for (const name of ['conf', 'iou', 'max'] as const) {
          if (change[name] !== undefined) await scene.page.locator(`#${name}`).fill(String(change[name]));
        }
        for (const id of change.classes ? ['1', '2', '3'] : []) {
          await scene.page.locator(`input[value="${id}"]`).setChecked(now.classes.includes(id));
        }
      }
      await scene.settled();
      const { conf, iou, max, classes } = now;
      const only = classes.length > 0 ? `&classes=${classes}` : '';
      const answer = await scene.predict(image, `?conf=${conf}&iou=${iou}&max=${max}${only}`);
      assert.equal(await scene.shown(), answer);
      seen.add(answer.annotations.length);
    }),
    { numRuns: 10 },
  );
  assert.ok(seen.size > 3, 'the settings matter');
});

test('a higher confidence needs no request, and reset brings the model’s settings back', async () => {
  await scene.trySample();
  const reference = await scene.shown();
  const asked: string[] = [];
  scene.page.on('request', (request) => asked.push(request.url()));
  for (const conf of [0.5, 0.05, 0.9, 0.3]) {
    await scene.page.locator('#conf').fill(String(conf));
    await scene.settled();
    const scores = (await scene.shown()).annotations.map(({ score }) => score);
    assert.ok(scores.every((score) => score >= conf));
    assert.is(await scene.page.locator('#count').textContent(), String(scores.length));
  }
  assert.equal(asked, []);
  await scene.page.getByRole('button', { name: 'Reset' }).click();
  await scene.settled();
  assert.equal(await scene.shown(), reference);
});

test('an answer that comes when it is no longer wanted is not shown', async () => {
  await scene.trySample();
  const reference = await scene.shown();
  const { page } = scene;
  let goOn = () => {};
  const back = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  await page.route(/predict/, async (route) => {
    const response = await route.fetch();
    assert.not.equal((await response.json()).annotations, reference.annotations);
    await back;
    await route.fulfill({ response }).catch(() => {});
  });
  const asked = page.waitForRequest(/predict/);
  await page.locator('#iou').fill('0');
  await asked;
  await page.locator('#iou').fill('0.5');
  await scene.settled();
  goOn();
  await page.unrouteAll({ behavior: 'wait' });
  // One more way there and back: whatever has arrived before has been worked on.
  await page.evaluate(`fetch('service_version').then((response) => response.text())`);
  assert.equal(await scene.shown(), reference);
});

test('what is no image is refused with the reason, until another image', async () => {
  await scene.trySample();
  const alarm = scene.page.getByRole('alert');
  assert.is(await alarm.textContent(), '');
  await scene.choose('a.jpg', Buffer.from('no image'));
  await alarm.getByText('not an image').waitFor();
  assert.match(await alarm.innerText(), /Expected: /);
  assert.is(await scene.page.locator('.box').count(), 0);
  assert.is(await scene.page.locator('#objects tr').count(), 0);
  assert.ok(await scene.page.locator('#save-json').isDisabled());
  await scene.trySample();
  assert.is(await alarm.textContent(), '');
});

test('the annotated image and the answer can be saved', async () => {
  await scene.trySample();
  await scene.page.locator('#conf').fill('0.3');
  const save = async (name: string) => {
    const [download] = await Promise.all([
      scene.page.waitForEvent('download'),
      scene.page.getByRole('button', { name }).click(),
    ]);
    const chunks = await (await download.createReadStream()).toArray();
    return { name: download.suggestedFilename(), bytes: Buffer.concat(chunks) };
  };
  const json = await save('Save JSON');
  assert.is(json.name, 'sample.json');
  assert.equal(JSON.parse(String(json.bytes)), await scene.shown());
  const png = await save('Save with boxes');
  assert.is(png.name, 'sample_boxes.png');
  assert.is(png.bytes.toString('latin1', 1, 4), 'PNG');
});

test.run();
