import * as assert from 'uvu/assert';
import type { Answer } from '../../../src/serve/http/answer.js';
import { Scene } from '../../web/scene.js';

const scene = new Scene();
const test = scene.suite('docs');

/** Opens the operation whose summary this is, and asks it. */
async function ask(summary: string): Promise<string> {
  const operation = scene.page.locator('.opblock', { hasText: summary });
  await operation.locator('.opblock-summary-control').click();
  await operation.getByRole('button', { name: 'Execute' }).click();
  const body = operation
    .locator('.live-responses-table .highlight-code code, .live-responses-table .microlight')
    .first();
  await body.waitFor();
  return (await body.textContent()) ?? '';
}

test('every operation is shown, and can be tried, from this server alone', async () => {
  await scene.page.goto(`${scene.server.url}/docs`);
  await scene.page.locator('.opblock').first().waitFor();
  const { paths } = (await (await fetch(`${scene.server.url}/openapi.json`)).json()) as {
    paths: Record<string, object>;
  };
  const operations = Object.values(paths).flatMap((methods) => Object.keys(methods));
  assert.is(await scene.page.locator('.opblock').count(), operations.length);
  assert.equal(JSON.parse(await ask('Is it ready for requests?')), { status: 'ready' });
});

test('an image can be sent', async () => {
  await scene.page.goto(`${scene.server.url}/docs`);
  const { url } = scene.server;
  const image = Buffer.from(await (await fetch(`${url}/test_data`)).arrayBuffer());
  const reference = (await (await fetch(`${url}/test_result`)).json()) as Answer;
  const operation = scene.page.locator('.opblock-post', { hasText: 'Find objects' });
  await operation.locator('.opblock-summary-control').click();
  await operation.locator('select[aria-label="Request content type"]').selectOption('application/octet-stream');
  await operation.locator('input[type=file]').setInputFiles({ name: 'a.jpg', mimeType: 'image/jpeg', buffer: image });
  const answered = scene.page.waitForResponse(/\/predict/);
  await operation.getByRole('button', { name: 'Execute' }).click();
  const response = await answered;
  assert.is(response.status(), 200);
  assert.equal(await response.json(), reference);
});

test.run();
