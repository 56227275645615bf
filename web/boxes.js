import { colorsOf } from './colors.js';

/** Replaces the content of `layer`, which lies over the image, by a box for each object, the best on top. */
export function drawBoxes(layer, { width, height, annotations, categories }) {
  const indexOf = new Map(categories.map(({ id }, index) => [id, index]));
  const boxes = annotations.map(({ id, bbox: [x, y, w, h], category_id, score }) => {
    const index = indexOf.get(category_id);
    const { paint, ink } = colorsOf(index);
    const box = document.createElement('div');
    box.className = 'box';
    box.dataset.id = id;
    const share = { left: x / width, top: y / height, width: w / width, height: h / height };
    for (const [side, value] of Object.entries(share)) box.style.setProperty(side, `${100 * value}%`);
    box.style.setProperty('--paint', paint);
    box.style.setProperty('--ink', ink);
    const tag = document.createElement('span');
    tag.textContent = `${categories[index].name} ${score.toFixed(2)}`;
    box.append(tag);
    return box;
  });
  layer.replaceChildren(...boxes.reverse());
}

/**
 * Puts each tag on its box's top or bottom edge, outside or inside, within the image and free of better objects'
 * tags; one without a free place is hidden until its box is marked.
 */
export function placeTags(layer) {
  const area = layer.getBoundingClientRect();
  // All is measured before anything is moved, so that the browser lays out once.
  const measured = [...layer.children].reverse().map((box) => {
    const [tag] = box.children;
    return { tag, at: box.getBoundingClientRect(), size: { width: tag.offsetWidth, height: tag.offsetHeight } };
  });
  const placed = [];
  for (const { tag, at, size } of measured) {
    const left = Math.max(area.left, Math.min(at.left, area.right - size.width));
    const places = [at.top - size.height, at.top, at.bottom, at.bottom - size.height].map((top) => ({ left, top }));
    const inside = ({ top }) => top >= area.top - 1 && top + size.height <= area.bottom + 1;
    const free = places.find(
      (place) => inside(place) && !placed.some((other) => overlap({ ...place, ...size }, other)),
    );
    if (free) placed.push({ ...free, ...size });
    const { top } = free ?? places.find(inside) ?? places[1];
    tag.classList.toggle('crowded', free === undefined);
    tag.style.left = `${left - at.left}px`;
    tag.style.top = `${top - at.top}px`;
  }
}

/** Makes the box of one object stand out, or of none when there is no such object. */
export function markBox(layer, id) {
  for (const box of layer.children) box.classList.toggle('marked', box.dataset.id === `${id}`);
}

function overlap(a, b) {
  return a.left < b.left + b.width && b.left < a.left + a.width && a.top < b.top + b.height && b.top < a.top + a.height;
}
