import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { beside, chart, gallery, image, page, table, text } from '../../src/report/html.js';

const test = suite('HTML pages');

test('words are escaped wherever they stand', async () => {
  const words = '<img src=x onerror=alert(1)> & "more"';
  const document = await page({
    title: words,
    subtitle: words,
    sections: [
      {
        title: words,
        content: [
          text(words),
          table([words], [[words]]),
          chart('<svg></svg>', words),
          beside(gallery([image(Buffer.from('x'), words, words)])),
        ],
      },
    ],
  });
  assert.not.match(document, '<img src=x');
  assert.not.match(document, '"more"');
  assert.is(document.match(/&lt;img src=x/g)?.length, 11);
});

test('a page needs nothing from elsewhere', async () => {
  const document = await page({
    title: 'a',
    sections: [{ title: 'b', content: [image(Buffer.from('jpeg'), 'alt')] }],
  });
  assert.not.match(document, /https?:|<script|<link|@import|url\(/);
  assert.match(document, `data:image/jpeg;base64,${Buffer.from('jpeg').toString('base64')}`);
});

test('every heading has its own anchor, which the navigation knows', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string(), { maxLength: 5 }), async (titles) => {
      const document = await page({ title: 'x', sections: titles.map((title) => ({ title, content: [] })) });
      const ids = [...document.matchAll(/<section id="([^"]*)">/g)].map(([, id]) => id);
      assert.is(new Set(ids).size, titles.length);
      for (const id of ids) assert.match(document.slice(0, document.indexOf('<main>')), `href="#${id}"`);
    }),
  );
});

test('columns of numbers are aligned right', async () => {
  const rows = [
    ['a', '0.5', 'x'],
    ['b', '–', '1'],
    ['c', 7, '2'],
  ];
  const markup = String(await table(['name', 'value', 'mixed'], rows));
  assert.is(markup.match(/class="number"/g)?.length, 4);
});

test.run();
