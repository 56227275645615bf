import * as assert from 'uvu/assert';
import { FAKE_CAMERA } from './browser.js';
import { Scene } from './scene.js';

const scene = new Scene();
const test = scene.suite('page: camera', {}, FAKE_CAMERA.allowed);

test('frame after frame is shown with its objects, one request at a time', async () => {
  const { page } = scene;
  let open = 0;
  let most = 0;
  let answers = 0;
  page.on('request', (request) => {
    if (request.url().includes('/predict')) most = Math.max(most, ++open);
  });
  page.on('requestfinished', (request) => {
    if (!request.url().includes('/predict')) return;
    open--;
    answers++;
  });
  const button = page.getByRole('button', { name: 'Camera' });
  await button.click();
  await page.getByText(/^[1-9]\d*\.\d images\/s$/).waitFor();
  assert.is(await button.getAttribute('aria-pressed'), 'true');
  // Read aloud, the summary of every frame would drown everything else.
  assert.is(await page.locator('#summary').getAttribute('aria-live'), 'off');
  assert.ok(answers >= 2);
  assert.is(most, 1);

  await button.click();
  assert.is(await button.getAttribute('aria-pressed'), 'false');
  await scene.settled();
  assert.is(await page.locator('#rate').textContent(), '');
  assert.is(await page.locator('#summary').getAttribute('aria-live'), null);

  // The last frame stays and is an image like any other: it can be saved, and settings work on it.
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Save image' }).click(),
  ]);
  assert.is(download.suggestedFilename(), 'camera.jpg');
  const frame = Buffer.concat(await (await download.createReadStream()).toArray());
  await page.locator('#conf').fill('0.1');
  await page.locator('#iou').fill('0.9');
  await scene.settled();
  const answer = await scene.predict(frame, '?conf=0.1&iou=0.9&max=20');
  assert.ok(answer.annotations.length > 0);
  assert.equal(await scene.shown(), answer);
});

test('an image that is chosen ends the camera', async () => {
  const { page } = scene;
  const button = page.getByRole('button', { name: 'Camera' });
  await button.click();
  await page.getByText('images/s').waitFor();
  await scene.trySample();
  assert.is(await button.getAttribute('aria-pressed'), 'false');
  const reference = await (await fetch(`${scene.server.url}/test_result`)).json();
  assert.equal(await scene.shown(), reference);
});

test('a camera that is refused, or not there, is said with the remedy, and nothing is running', async () => {
  for (const [flags, message, hint] of [
    [FAKE_CAMERA.refused, 'The camera was refused.', 'Allow it'],
    [FAKE_CAMERA.none, 'There is no camera.', 'Connect one'],
  ] as const) {
    await scene.visitWith(flags);
    const { page } = scene;
    const button = page.getByRole('button', { name: 'Camera' });
    await button.click();
    await page.getByRole('alert').getByText(message).waitFor();
    assert.match(await page.getByRole('alert').innerText(), hint);
    assert.is(await button.getAttribute('aria-pressed'), 'false');
    assert.ok(await button.isEnabled());
  }
});

test.run();
