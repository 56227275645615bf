import type { Random } from '../../../base/random.js';
import { type Drawing, ellipse, hsl, line, type Part, type Point, polygon, rectangle } from '../shape.js';

const GLASS = ['hsl(205,45%,78%)', 'hsl(210,40%,38%)'] as const;
const TYRE = 'hsl(220,10%,13%)';

/** Cabin outlines as x of: rear base, rear roof, front roof, front base. */
const CABINS = {
  saloon: [-36, -23, 8, 25],
  hatchback: [-47, -36, 6, 23],
  van: [-49, -46, 20, 37],
  pickup: [-9, -6, 12, 26],
} as const;

/** A road car from the side, or less often from the front. */
export function car(random: Random): Drawing {
  const body = random.chance(0.2)
    ? hsl(220, 6, random.pick([18, 50, 92]))
    : hsl(random.uniform(0, 360), random.uniform(55, 90), random.uniform(36, 58));
  return random.chance(0.1) ? front(random, body) : side(random, body);
}

function side(random: Random, body: string): Part[] {
  const kind = random.pick(Object.keys(CABINS) as (keyof typeof CABINS)[]);
  const [rear, rearRoof, frontRoof, windscreen] = CABINS[kind].map((x) => x + random.uniform(-2, 2));
  const radius = random.uniform(8.5, 11.5);
  const bottom = 16;
  const belt = random.uniform(-5, 0);
  const roof = belt - random.uniform(14, kind === 'van' ? 24 : 18);
  const edge = hsl(220, 20, 16);
  const shell: Point[] = [
    [-49, bottom],
    [-49.5, belt + 3],
    [-48, belt],
    [rear, belt],
    [rearRoof, roof],
    [frontRoof, roof],
    [windscreen, belt],
    [44, belt + 4],
    [49, belt + 9],
    [49.5, bottom],
  ];
  const inset = 2.2;
  const pillar = (rearRoof + frontRoof) / 2 + random.uniform(-3, 3);
  const glass = [
    polygon(
      [rear + 6, belt],
      [rearRoof + inset, roof + inset + 1],
      [pillar - 1.2, roof + inset + 1],
      [pillar - 1.2, belt],
    ),
    polygon(
      [pillar + 1.2, belt],
      [pillar + 1.2, roof + inset + 1],
      [frontRoof - 1, roof + inset + 1],
      [windscreen - 4, belt],
    ),
  ];
  const wheels = [-30, 29].map((x) => x + random.uniform(-2.5, 2.5));
  const parts: Part[] = [
    { path: polygon(...shell), fill: body, stroke: edge, width: 1.4 },
    { path: rectangle(-49, bottom - 5, 98, 5), fill: edge, opacity: 0.45 },
    ...glass.map((path): Part => ({ path, fill: GLASS })),
    { path: line([pillar, belt], [pillar, bottom - 3]), stroke: edge, width: 0.9 },
    { path: rectangle(pillar + 3, belt + 4, 6, 1.6), fill: edge },
    { path: ellipse(46, belt + 9.5, 3, 2.6), fill: 'hsl(50,95%,75%)' },
    { path: rectangle(-49, belt + 5, 3.4, 5), fill: 'hsl(2,85%,45%)' },
  ];
  if (random.chance(0.35)) {
    parts.push({
      path: rectangle(-47, belt + 7, 90, random.uniform(2, 4)),
      fill: hsl(random.uniform(0, 360), 70, 85),
      opacity: 0.9,
    });
  }
  if (random.chance(0.15))
    parts.push({ path: rectangle(rearRoof + 8, roof - 5, 10, 5), fill: 'hsl(45,95%,60%)', stroke: edge });
  return [...parts, ...wheels.flatMap((x) => wheel(x, bottom + 1, radius))];
}

/** Tyre, rim and spokes. */
export function wheel(x: number, y: number, radius: number): Part[] {
  const spoke = radius * 0.55;
  return [
    { path: ellipse(x, y, radius), fill: TYRE },
    { path: ellipse(x, y, radius * 0.58), fill: 'hsl(210,8%,76%)' },
    {
      path: `${line([x - spoke, y], [x + spoke, y])}${line([x, y - spoke], [x, y + spoke])}`,
      stroke: TYRE,
      width: radius * 0.12,
    },
  ];
}

function front(random: Random, body: string): Part[] {
  const roof = random.uniform(-42, -32);
  const narrow = random.uniform(24, 31);
  const edge = hsl(220, 20, 16);
  const lamps = [-33, 33].map(
    (x): Part => ({ path: ellipse(x, 8, 7.5, 6), fill: 'hsl(50,95%,80%)', stroke: edge, width: 1.5 }),
  );
  return [
    ...[-46, 30].map((x): Part => ({ path: rectangle(x, 18, 16, 20), fill: TYRE })),
    {
      path: polygon([-narrow, roof], [narrow, roof], [38, -6], [48, 2], [49, 26], [-49, 26], [-48, 2], [-38, -6]),
      fill: body,
      stroke: edge,
      width: 1.8,
    },
    { path: polygon([3 - narrow, roof + 4], [narrow - 3, roof + 4], [34, -6], [-34, -6]), fill: GLASS },
    { path: rectangle(-20, 5, 40, 9), fill: edge },
    ...[-15, -5, 5, 15].map((x): Part => ({ path: line([x, 5], [x, 14]), stroke: 'hsl(210,8%,70%)', width: 1.2 })),
    ...lamps,
    { path: rectangle(-49, 18, 98, 8), fill: 'hsl(215,8%,42%)' },
    { path: rectangle(-12, 18, 24, 7), fill: 'hsl(50,30%,92%)', stroke: edge, width: 0.8 },
  ];
}
