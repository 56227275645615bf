import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as assert from 'uvu/assert';
import { randomJpeg } from '../serve/make_bundle.js';
import { Scene } from './scene.js';

const key = 'correct-horse-battery-staple-0123456789';
const run = promisify(execFile);
const scene = new Scene();
const test = scene.suite('page: commands and keys', { apiKeys: [key] });

/** What the page's command prints, run by a shell in `cwd`. */
async function runCommand(cwd?: string): Promise<unknown> {
  const command = await scene.page.locator('#curl').inputValue();
  assert.not.match(command, key);
  const { stdout } = await run('sh', ['-c', command], { cwd, env: { ...process.env, YOLOX_API_KEY: key } });
  return JSON.parse(stdout);
}

async function giveKey(text: string): Promise<void> {
  await scene.page.getByLabel('API key').fill(text);
  await scene.page.getByRole('button', { name: 'Use' }).click();
}

test('a key is asked for, and kept for this tab alone', async () => {
  const { page } = scene;
  await giveKey('wrong');
  await page.getByRole('alert').getByText('not known').waitFor();
  await giveKey(key);
  await scene.trySample();
  assert.is(await page.getByRole('alert').textContent(), '');
  assert.ok(await page.locator('#key-form').isHidden());
  assert.equal(await page.evaluate('Object.values(sessionStorage)'), [key]);
  assert.equal(await page.evaluate('[...Object.values(localStorage), document.cookie].join()'), '');
});

test('the command can be copied', async () => {
  await scene.visit({ permissions: ['clipboard-read', 'clipboard-write'] });
  await giveKey(key);
  await scene.trySample();
  const { page } = scene;
  await page.getByRole('button', { name: 'Copy' }).click();
  await page.getByRole('button', { name: 'Copied' }).waitFor();
  assert.is(await page.evaluate('navigator.clipboard.readText()'), await page.locator('#curl').inputValue());
});

test('the command gets the answer that is shown: of the sample, of a file of any name, at any settings', async () => {
  await giveKey(key);
  await scene.trySample();
  assert.equal(await runCommand(), await scene.shown());

  const cwd = await mkdtemp(join(tmpdir(), 'yolox-page-'));
  const name = `it's "a" $(image) & more.jpg`;
  const image = await randomJpeg(5);
  await writeFile(join(cwd, name), image);
  await scene.choose(name, image);
  await scene.answered(name);
  const { page } = scene;
  for (const [slider, value] of Object.entries({ conf: '0.4', iou: '0.8', max: '7' })) {
    await page.locator(`#${slider}`).fill(value);
    await scene.settled();
    assert.equal(await runCommand(cwd), await scene.shown());
  }
  await page.getByLabel('circle').check();
  await scene.settled();
  assert.equal(await runCommand(cwd), await scene.shown());
  await rm(cwd, { recursive: true });
});

test.run();
