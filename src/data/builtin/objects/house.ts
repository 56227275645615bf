import type { Random } from '../../../base/random.js';
import { type Drawing, hsl, line, type Part, polygon, rectangle } from '../shape.js';

/** A gabled house, from the front or with one long side in view. */
export function house(random: Random): Drawing {
  const wall = hsl(random.uniform(10, 60), random.uniform(15, 60), random.uniform(62, 90));
  const shade = hsl(random.uniform(15, 50), 20, random.uniform(45, 58));
  const roof = hsl(
    random.pick([random.uniform(-8, 22), random.uniform(-8, 22), 215, 100]),
    random.uniform(35, 70),
    random.uniform(26, 42),
  );
  const gableWidth = random.uniform(46, 62);
  const long = random.chance(0.35) ? random.uniform(18, 36) : 0;
  const height = random.uniform(34, 62);
  const peak = random.uniform(24, 38);
  const left = -(gableWidth + long) / 2;
  const right = left + gableWidth;
  const [top, bottom] = [-(height + peak) / 2 + peak, (height + peak) / 2];
  const middle = left + gableWidth / 2;
  const eaves = 4;
  const parts: Part[] = [];
  if (random.chance(0.7)) {
    const x = middle + gableWidth * random.uniform(0.12, 0.25);
    parts.push({ path: rectangle(x, top - peak + 1, 7, peak * 0.8), fill: 'hsl(12,35%,38%)' });
    parts.push({ path: rectangle(x - 1.2, top - peak - 1, 9.4, 3), fill: 'hsl(12,25%,28%)' });
  }
  if (long > 0) {
    parts.push({ path: rectangle(right - 1, top, long, bottom - top), fill: shade });
    parts.push({
      path: polygon(
        [middle, top - peak],
        [middle + long + 4, top - peak],
        [right + long + eaves, top + 2],
        [right, top + 2],
      ),
      fill: [roof, hsl(15, 20, 24)],
    });
    parts.push(...windows(random, right + 5, top + 8, long - 9, bottom - top - 14, 1));
  }
  parts.push({
    path: polygon([left, bottom], [left, top], [middle, top - peak], [right, top], [right, bottom]),
    fill: wall,
    stroke: shade,
  });
  if (random.chance(0.4)) parts.push(...courses(left, top, gableWidth, bottom - top, shade));
  parts.push({
    path: polygon(
      [left - eaves, top + 3],
      [middle, top - peak - 3],
      [right + eaves, top + 3],
      [right + eaves - 3, top + 7],
      [middle, top - peak + 5],
      [left - eaves + 3, top + 7],
    ),
    fill: roof,
  });
  const doorX = left + gableWidth * random.pick([0.15, 0.4, 0.65]);
  const doorHeight = Math.min(20, height * 0.5);
  const rows = height > 46 ? 2 : 1;
  parts.push(...windows(random, left + 5, top + 6, gableWidth - 10, bottom - top - doorHeight - 9, rows));
  parts.push({
    path: rectangle(doorX, bottom - doorHeight, 11, doorHeight),
    fill: hsl(random.uniform(0, 360), 50, 28),
    stroke: 'hsl(30,20%,85%)',
    width: 1.2,
  });
  return parts;
}

function windows(random: Random, x: number, y: number, width: number, height: number, rows: number): Part[] {
  if (width < 9 || height < 6) return [];
  const columns = Math.max(1, Math.round(width / 20));
  const lit = random.chance(0.35);
  const pane = lit ? 'hsl(46,95%,66%)' : 'hsl(210,35%,35%)';
  const [cellWidth, cellHeight] = [width / columns, height / rows];
  const [w, h] = [Math.min(11, cellWidth * 0.7), Math.min(12, cellHeight * 0.75)];
  return Array.from({ length: rows * columns }, (_, i) => {
    const left = x + ((i % columns) + 0.5) * cellWidth - w / 2;
    const top = y + (Math.floor(i / columns) + 0.5) * cellHeight - h / 2;
    const cross = `${line([left + w / 2, top], [left + w / 2, top + h])}${line([left, top + h / 2], [left + w, top + h / 2])}`;
    return [
      { path: rectangle(left, top, w, h), fill: pane, stroke: 'hsl(40,20%,92%)', width: 1.4 },
      { path: cross, stroke: 'hsl(40,20%,92%)', width: 1 },
    ];
  }).flat();
}

/** Lines of brick or boarding across a wall. */
function courses(x: number, y: number, width: number, height: number, color: string): Part[] {
  const count = Math.floor(height / 5);
  const lines = Array.from({ length: count }, (_, i) => line([x, y + (i + 1) * 5], [x + width, y + (i + 1) * 5]));
  return [{ path: lines.join(''), stroke: color, width: 0.7, opacity: 0.6 }];
}
