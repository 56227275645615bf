import { colorsOf } from './colors.js';

const body = document.getElementById('objects');

/** Fills the table of objects; `mark(id)` is called for the row under the pointer or in focus, without id for none. */
export function showTable({ annotations, categories }, mark) {
  const indexOf = new Map(categories.map(({ id }, index) => [id, index]));
  const rows = annotations.map(({ id, bbox, category_id, score }, position) => {
    const index = indexOf.get(category_id);
    const row = document.createElement('tr');
    // One stop on the way through the page; arrow keys go on from there.
    row.tabIndex = position === 0 ? 0 : -1;
    const head = document.createElement('th');
    head.scope = 'row';
    const swatch = document.createElement('i');
    swatch.style.background = colorsOf(index).paint;
    head.append(swatch, categories[index].name);
    const cells = [score.toFixed(3), ...bbox.map((value) => value.toFixed(1))].map((text) => {
      const cell = document.createElement('td');
      cell.className = 'figure';
      cell.textContent = text;
      return cell;
    });
    row.append(head, ...cells);
    for (const event of ['focus', 'pointerenter']) row.addEventListener(event, () => mark(id));
    for (const event of ['blur', 'pointerleave']) row.addEventListener(event, () => mark());
    return row;
  });
  body.replaceChildren(...rows);
}

const STEPS = {
  ArrowUp: (row) => row.previousElementSibling,
  ArrowDown: (row) => row.nextElementSibling,
  Home: () => body.firstElementChild,
  End: () => body.lastElementChild,
};

body.addEventListener('keydown', (event) => {
  const to = STEPS[event.key]?.(event.target);
  if (!to) return;
  event.preventDefault();
  event.target.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
});

/** `3 objects: 2 circle, 1 star`. */
export function summaryOf({ annotations, categories }) {
  const counts = categories
    .map(({ id, name }) => [annotations.filter(({ category_id }) => category_id === id).length, name])
    .filter(([count]) => count > 0)
    .map(([count, name]) => `${count} ${name}`);
  if (counts.length === 0) return 'No objects at these settings.';
  return `${annotations.length} ${annotations.length === 1 ? 'object' : 'objects'}: ${counts.join(', ')}.`;
}
