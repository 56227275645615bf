import type { Random } from '../../base/random.js';
import {
  blob,
  type Drawing,
  ellipse,
  hsl,
  line,
  type Paint,
  type Part,
  type Point,
  polygon,
  rectangle,
} from './shape.js';

export interface Backdrop {
  /** The backdrop, in image pixels. */
  drawing: Drawing;
  /** Pixels from the top to the horizon or table edge; null if there is no up and down. */
  horizon: number | null;
  /** Whether the area below the horizon is water. */
  water: boolean;
}

type Painter = (random: Random, width: number, height: number) => Backdrop;

/** Paints the scenery behind everything: outdoors, indoors, or a plain pattern. */
export const backdrop: Painter = (random, width, height) =>
  random.pick([landscape, landscape, coast, coast, town, room, tiles, foliage, cloth, lights])(random, width, height);

function sky(random: Random, width: number, horizon: number): Part[] {
  const fills: Paint[] = [
    [hsl(random.uniform(200, 222), random.uniform(45, 85), random.uniform(45, 65)), hsl(200, 55, 86)],
    [hsl(220, 12, random.uniform(55, 75)), hsl(210, 10, 84)],
    [hsl(random.uniform(230, 270), 35, 42), hsl(random.uniform(15, 40), 85, 72)],
  ];
  const parts: Part[] = [{ path: rectangle(0, 0, width, horizon + 1), fill: random.pick(fills) }];
  if (random.chance(0.4))
    parts.push({
      path: ellipse(random.uniform(0, width), random.uniform(0, horizon), width * random.uniform(0.03, 0.06)),
      fill: 'hsl(48,100%,85%)',
    });
  for (let cloud = random.int(0, 4); cloud > 0; cloud--) {
    const [x, y, size] = [
      random.uniform(0, width),
      random.uniform(0, horizon * 0.8),
      width * random.uniform(0.03, 0.09),
    ];
    for (let i = -2; i <= 2; i++) {
      const radius = size * random.uniform(0.5, 1) * (1 - Math.abs(i) * 0.2);
      parts.push({ path: ellipse(x + i * size * 0.7, y, radius, radius * 0.6), fill: 'white', opacity: 0.7 });
    }
  }
  return parts;
}

/** A rolling outline from the left to the right edge, filled down to `bottom`. */
function ridge(random: Random, width: number, top: number, rise: number, bottom: number, fill: Paint): Part {
  const steps = random.int(4, 9);
  const crest = Array.from(
    { length: steps + 1 },
    (_, i): Point => [(i / steps) * width, top - random.uniform(0, rise)],
  );
  return { path: polygon([0, bottom], ...crest, [width, bottom]), fill };
}

/** Meadow, dry grass, sand, snow. */
const GROUNDS: readonly Paint[] = [
  ['hsl(95,35%,52%)', 'hsl(95,42%,28%)'],
  ['hsl(80,35%,52%)', 'hsl(80,42%,28%)'],
  ['hsl(42,35%,55%)', 'hsl(42,42%,34%)'],
  ['hsl(200,10%,88%)', 'hsl(200,15%,74%)'],
];

const landscape: Painter = (random, width, height) => {
  const horizon = height * random.uniform(0.3, 0.6);
  const drawing = sky(random, width, horizon);
  for (let i = random.int(1, 3); i > 0; i--) {
    drawing.push(
      ridge(random, width, horizon, height * 0.06 * i, horizon + 2, [
        hsl(random.uniform(90, 220), 22, 40 + i * 8),
        hsl(110, 25, 42),
      ]),
    );
  }
  drawing.push({ path: rectangle(0, horizon, width, height - horizon), fill: random.pick(GROUNDS) });
  if (random.chance(0.5)) {
    const [far, near, half] = [
      random.uniform(0.2, 0.8) * width,
      random.uniform(0.2, 0.8) * width,
      random.uniform(0.1, 0.3) * width,
    ];
    drawing.push({
      path: polygon([far - 3, horizon], [far + 3, horizon], [near + half, height], [near - half, height]),
      fill: 'hsl(30,8%,45%)',
    });
    drawing.push({ path: line([far, horizon], [near, height]), stroke: 'hsl(45,30%,80%)', width: 1.5 });
  }
  return { drawing, horizon, water: false };
};

const coast: Painter = (random, width, height) => {
  const horizon = height * random.uniform(0.3, 0.55);
  const sea = random.uniform(175, 220);
  const drawing = sky(random, width, horizon);
  if (random.chance(0.5))
    drawing.push(ridge(random, width, horizon, height * 0.09, horizon + 1, hsl(random.uniform(90, 230), 15, 50)));
  drawing.push({
    path: rectangle(0, horizon, width, height - horizon),
    fill: [hsl(sea, 45, 60), hsl(sea + 8, 55, 30)],
  });
  for (let i = 0; i < 40; i++) {
    const y = horizon + (height - horizon) * random.uniform() ** 1.5;
    const reach = 3 + ((y - horizon) / height) * width * random.uniform(0.1, 0.25);
    const x = random.uniform(-reach, width);
    drawing.push({
      path: line([x, y], [x + reach, y + random.uniform(-1, 1)]),
      stroke: 'hsl(195,60%,85%)',
      width: random.uniform(0.5, 1.6),
      opacity: 0.5,
    });
  }
  if (random.chance(0.3))
    drawing.push(ridge(random, width, height * 0.9, height * 0.05, height, ['hsl(42,55%,75%)', 'hsl(38,45%,58%)']));
  return { drawing, horizon, water: true };
};

const town: Painter = (random, width, height) => {
  const horizon = height * random.uniform(0.45, 0.65);
  const drawing = sky(random, width, horizon);
  for (let x = -5; x < width; ) {
    const [w, h] = [width * random.uniform(0.07, 0.17), horizon * random.uniform(0.3, 0.85)];
    const light = random.uniform(40, 70);
    drawing.push({
      path: rectangle(x, horizon - h, w, h),
      fill: hsl(random.uniform(0, 60), random.uniform(5, 25), light),
    });
    for (let wy = horizon - h + 5; wy < horizon - 6; wy += 9) {
      for (let wx = x + 3; wx < x + w - 5; wx += 7) {
        drawing.push({
          path: rectangle(wx, wy, 3.5, 5),
          fill: random.chance(0.2) ? 'hsl(48,80%,70%)' : hsl(215, 15, light * 0.6),
        });
      }
    }
    x += w;
  }
  drawing.push({ path: rectangle(0, horizon, width, height - horizon), fill: ['hsl(30,6%,62%)', 'hsl(220,6%,34%)'] });
  const middle = (horizon + height * 1.1) / 2;
  for (let x = 0; x < width; x += width / 6)
    drawing.push({ path: rectangle(x, middle, width / 11, 2.5), fill: 'hsl(45,25%,85%)' });
  return { drawing, horizon, water: false };
};

const room: Painter = (random, width, height) => {
  const horizon = height * random.uniform(0.45, 0.7);
  const hue = random.uniform(0, 360);
  const wall = [hsl(hue, random.uniform(8, 35), random.uniform(65, 85)), hsl(hue, 20, 58)] as const;
  const wood = random.uniform(18, 38);
  const drawing: Part[] = [{ path: rectangle(0, 0, width, horizon), fill: wall }];
  const step = random.uniform(9, 26);
  for (let x = step / 2; x < width; x += step) {
    drawing.push({ path: rectangle(x, 0, step * 0.4, horizon), fill: hsl(hue + 20, 25, 72), opacity: 0.5 });
  }
  if (random.chance(0.6)) {
    const [x, y, w, h] = [
      random.uniform(0, 0.6) * width,
      random.uniform(0.05, 0.15) * height,
      width * random.uniform(0.2, 0.35),
      horizon * 0.5,
    ];
    drawing.push({
      path: rectangle(x, y, w, h),
      fill: [hsl(random.uniform(0, 360), 40, 70), hsl(random.uniform(0, 360), 40, 45)],
      stroke: hsl(30, 45, 30),
      width: 4,
    });
  }
  drawing.push({ path: rectangle(0, horizon, width, height - horizon), fill: [hsl(wood, 40, 50), hsl(wood, 45, 32)] });
  for (let y = horizon + 8; y < height; y += 6 + (y - horizon) * 0.25) {
    drawing.push({ path: line([0, y], [width, y]), stroke: hsl(wood, 40, 26), width: 1 });
  }
  return { drawing, horizon, water: false };
};

const tiles: Painter = (random, width, height) => {
  const size = Math.max(width, height) * random.uniform(0.08, 0.2);
  const hue = random.uniform(0, 360);
  const drawing: Part[] = [{ path: rectangle(0, 0, width, height), fill: hsl(hue, 8, 40) }];
  const other = random.chance(0.5) ? random.uniform(25, 60) : random.uniform(70, 85);
  for (let y = 0; y * size < height; y++) {
    for (let x = 0; x * size < width; x++) {
      const light = ((x + y) % 2 ? other : 78) + random.uniform(-4, 4);
      drawing.push({ path: rectangle(x * size, y * size, size - 1.5, size - 1.5), fill: hsl(hue, 18, light) });
    }
  }
  return { drawing, horizon: null, water: false };
};

const foliage: Painter = (random, width, height) => {
  const hue = random.uniform(70, 150);
  const drawing: Part[] = [{ path: rectangle(0, 0, width, height), fill: [hsl(hue, 35, 30), hsl(hue + 15, 40, 16)] }];
  for (let i = 0; i < 110; i++) {
    const size = Math.max(width, height) * random.uniform(0.02, 0.07);
    const [x, y, angle] = [random.uniform(0, width), random.uniform(0, height), random.uniform(0, Math.PI)];
    const [ax, ay] = [Math.cos(angle) * size, Math.sin(angle) * size];
    const color = hsl(hue + random.normal(0, 14), random.uniform(25, 60), random.uniform(16, 48));
    drawing.push({
      path: blob([
        [x - ax * 1.5, y - ay * 1.5],
        [x - ay, y + ax],
        [x + ax * 1.5, y + ay * 1.5],
        [x + ay, y - ax],
      ]),
      fill: color,
    });
  }
  return { drawing, horizon: null, water: false };
};

const cloth: Painter = (random, width, height) => {
  const hue = random.uniform(0, 360);
  const drawing: Part[] = [
    { path: rectangle(0, 0, width, height), fill: hsl(hue, random.uniform(15, 50), random.uniform(45, 80)) },
  ];
  const color = hsl(hue + random.uniform(-60, 60), random.uniform(15, 55), random.uniform(35, 85));
  const step = Math.max(width, height) * random.uniform(0.06, 0.16);
  const [slope, dots] = [random.uniform(-1, 1), random.chance(0.4)];
  for (let at = -height; at < width + height; at += step) {
    drawing.push({
      path: line([at, 0], [at + slope * height, height]),
      stroke: color,
      width: step * random.uniform(0.15, 0.5),
      opacity: 0.6,
    });
    for (let y = step / 2; dots && y < height; y += step)
      drawing.push({ path: ellipse(at, y, step * 0.18), fill: hsl(hue, 20, 88) });
  }
  return { drawing, horizon: null, water: false };
};

const lights: Painter = (random, width, height) => {
  const hue = random.uniform(0, 360);
  const drawing: Part[] = [
    {
      path: rectangle(0, 0, width, height),
      fill: [hsl(hue, 35, random.uniform(15, 60)), hsl(hue + 60, 35, random.uniform(15, 60))],
    },
  ];
  for (let i = random.int(12, 30); i > 0; i--) {
    const radius = Math.max(width, height) * random.uniform(0.02, 0.13);
    drawing.push({
      path: ellipse(random.uniform(0, width), random.uniform(0, height), radius),
      fill: hsl(hue + random.normal(0, 50), random.uniform(30, 70), random.uniform(40, 80)),
      opacity: random.uniform(0.15, 0.5),
    });
  }
  return { drawing, horizon: null, water: false };
};
