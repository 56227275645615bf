import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import * as assert from 'uvu/assert';
import { Scene } from './scene.js';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const scene = new Scene();
const test = scene.suite('page: accessibility');

/** Violations of WCAG and of good practice, each with the elements concerned. */
async function violations(): Promise<string[]> {
  await scene.page.evaluate(axe);
  const results = (await scene.page.evaluate('axe.run()')) as AxeResults;
  return results.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(' ')}`);
}

for (const [colorScheme, width] of [
  ['light', 1280],
  ['dark', 360],
] as const) {
  test(`no violations and nothing beside the window, ${colorScheme}, ${width} pixels wide`, async () => {
    await scene.visit({ colorScheme, viewport: { width, height: 800 } });
    assert.equal(await violations(), []);
    await scene.trySample();
    await scene.page.getByLabel('circle').check();
    await scene.settled();
    assert.equal(await violations(), []);
    assert.is(await scene.page.evaluate('document.scrollingElement.scrollWidth'), width);
    await scene.choose('a.jpg', Buffer.from('no image'));
    await scene.page.getByRole('alert').getByText('not an image').waitFor();
    assert.equal(await violations(), []);
  });
}

/** What has the focus, after the check that one can see it. */
async function focused(): Promise<string> {
  const [name, outline] = (await scene.page.evaluate(`(() => {
    const { activeElement } = document;
    const { id, tagName, textContent } = activeElement;
    return [id || tagName + ' ' + textContent, getComputedStyle(activeElement).outlineStyle];
  })()`)) as [string, string];
  assert.is.not(outline, 'none', `the focus on ${name} is seen`);
  return name;
}

test('everything can be done with the keyboard alone', async () => {
  const { keyboard } = scene.page;
  await scene.page.locator('#sample:enabled').waitFor();
  const tabTo = async (wanted: string): Promise<void> => {
    const passed: string[] = [];
    do {
      await keyboard.press('Tab');
      passed.push(await focused());
    } while (passed.at(-1) !== wanted && passed.length < 30);
    assert.is(passed.at(-1), wanted, passed.join(', '));
  };
  await keyboard.press('Tab');
  assert.is(await focused(), 'A Skip to the image');
  await keyboard.press('Enter');
  await tabTo('choose');
  // Not for the dialog itself: driven browsers do not always count a key press as the person's wish that it needs.
  await scene.page.evaluate(`document.getElementById('file').addEventListener('click', (event) => {
    event.preventDefault();
    globalThis.opened = true;
  })`);
  await keyboard.press('Enter');
  assert.ok(await scene.page.evaluate('globalThis.opened'));
  await tabTo('sample');
  await keyboard.press('Space');
  await scene.answered('sample.jpg');
  const before = (await scene.shown()).annotations;

  await tabTo('conf');
  await keyboard.press('ArrowRight');
  assert.is(await scene.page.locator('#conf-value').textContent(), '0.21');
  await keyboard.press('ArrowLeft');
  await tabTo('iou');
  await keyboard.press('End');
  assert.is(await scene.page.locator('#iou-value').textContent(), '1.00');
  await scene.settled();
  assert.ok((await scene.shown()).annotations.length >= before.length);
  await tabTo('max');
  await keyboard.press('Home');
  await scene.settled();
  assert.is((await scene.shown()).annotations.length, 1);
  await keyboard.press('End');
  await scene.settled();

  await tabTo('reset');
  await keyboard.press('Enter');
  await scene.settled();
  assert.equal((await scene.shown()).annotations, before);

  // The table is one stop, and its rows mark their boxes.
  const marked = () => scene.page.locator('.box.marked').evaluateAll((boxes) => boxes.map(({ dataset }) => dataset.id));
  assert.equal(await marked(), []);
  await keyboard.press('Tab');
  assert.equal(await marked(), ['1']);
  await keyboard.press('ArrowDown');
  assert.equal(await marked(), ['2']);
  await focused();
  await keyboard.press('End');
  assert.equal(await marked(), [String(before.length)]);
  await keyboard.press('Home');
  assert.equal(await marked(), ['1']);
  await tabTo('copy');
  assert.equal(await marked(), []);
  await tabTo('save-json');
});

test('pointing at a row marks its box', async () => {
  await scene.trySample();
  await scene.page.locator('#objects tr:nth-child(2)').hover();
  assert.is(await scene.page.locator('.box.marked').getAttribute('data-id'), '2');
});

test('nothing moves for those who asked for it', async () => {
  const animation = `getComputedStyle(document.getElementById('stage'), '::after').animationName`;
  const busy = `document.getElementById('stage').setAttribute('aria-busy', 'true')`;
  for (const reducedMotion of ['no-preference', 'reduce'] as const) {
    await scene.visit({ reducedMotion });
    await scene.page.evaluate(busy);
    assert.is((await scene.page.evaluate(animation)) === 'none', reducedMotion === 'reduce');
  }
});

test.run();
