import { html, raw } from 'hono/html';

/** Markup with escaped text, as the functions below return it. */
export type Markup = ReturnType<typeof html>;

export interface Section {
  title: string;
  content: readonly Markup[];
}

export interface Page {
  title: string;
  subtitle?: string;
  sections: readonly Section[];
}

/** One self-contained HTML file: style, charts and images inside, no script, nothing fetched. */
export async function page({ title, subtitle, sections }: Page): Promise<string> {
  const anchored = sections.map((section, index) => ({ ...section, id: anchor(section.title, index) }));
  const document = await html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<header><h1>${title}</h1>${subtitle ? html`<p>${subtitle}</p>` : ''}
<nav aria-label="Sections">${anchored.map(({ id, title }) => html`<a href="#${id}">${title}</a> `)}</nav></header>
<main>
${anchored.map(
  ({ id, title, content }) => html`<section id="${id}"><h2><a href="#${id}">${title}</a></h2>
${[...content]}
</section>`,
)}
</main>
</body>
</html>
`;
  return document.toString();
}

/** A paragraph. */
export function text(words: string): Markup {
  return html`<p>${words}</p>`;
}

/** Rows under a header; format numbers first, they are right-aligned as given. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): Markup {
  const numeric = header.map((_, column) =>
    rows.every((row) => /^[−+-]?[\d.,]+( ?%)?$|^[–-]?$/.test(String(row[column]))),
  );
  const style = (column: number) => (numeric[column] && column > 0 ? 'number' : 'word');
  return html`<div class="scroll"><table>
<thead><tr>${header.map((name, column) => html`<th scope="col" class="${style(column)}">${name}</th>`)}</tr></thead>
<tbody>${rows.map(
    (row) => html`<tr>${row.map((value, column) => html`<td class="${style(column)}">${value}</td>`)}</tr>
`,
  )}</tbody>
</table></div>`;
}

/** A chart from charts.ts; `alt` describes it in words. */
export function chart(svg: string, alt: string): Markup {
  return html`<figure class="chart" role="img" aria-label="${alt}">${raw(svg)}</figure>`;
}

/** An image inside the page. */
export function image(jpeg: Uint8Array, alt: string, caption?: string): Markup {
  const data = Buffer.from(jpeg.buffer, jpeg.byteOffset, jpeg.byteLength).toString('base64');
  return html`<figure><img loading="lazy" alt="${alt}" src="data:image/jpeg;base64,${data}">${
    caption ? html`<figcaption>${caption}</figcaption>` : ''
  }</figure>`;
}

/** Figures side by side, as many per row as fit. */
export function gallery(figures: readonly Markup[]): Markup {
  return html`<div class="gallery">${[...figures]}</div>`;
}

/** Parts side by side if the page is wide enough, else stacked. */
export function beside(...parts: readonly Markup[]): Markup {
  return html`<div class="beside">${[...parts]}</div>`;
}

function anchor(title: string, index: number): string {
  const words = title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  return `${words || 'section'}-${index + 1}`;
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1c1e21; --paper: #fff; --faint: #6b7280; --line: #8884; --accent: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --paper: #16181c; --faint: #9ca3af; --accent: #56b4e9; } }
body { max-width: 72rem; margin: 0 auto; padding: 1rem 1.5rem 4rem; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { margin-bottom: 0; } header p { margin: .2rem 0 .6rem; color: var(--faint); }
h2 { margin: 2.2rem 0 .6rem; padding-bottom: .2rem; border-bottom: 1px solid var(--line); }
h2 a { color: inherit; text-decoration: none; } h2 a:hover::after { content: ' #'; color: var(--faint); }
nav a { margin-right: .8rem; color: var(--accent); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .1rem .8rem .25rem 0; border-bottom: 1px solid var(--line); text-align: left; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: .8rem 0; } figcaption { color: var(--faint); font-size: .85rem; overflow-wrap: anywhere; }
.beside { display: flex; flex-wrap: wrap; gap: 0 2rem; align-items: flex-start; }
.chart { display: inline-block; max-width: 100%; overflow-x: auto; vertical-align: top; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 1rem; }
.gallery figure { margin: 0; } .gallery img { width: 100%; border-radius: 4px; }
@media print { nav { display: none; } section { break-inside: avoid; } }
`;
