import type { Random } from '../../../base/random.js';
import { type Drawing, ellipse, hsl, line, type Part, path, polygon, rectangle } from '../shape.js';

/** A sailing boat with one or two sails, or a small steamer. */
export function boat(random: Random): Drawing {
  return random.chance(0.88) ? sailer(random) : steamer(random);
}

function hull(random: Random, deck: number, length: number): Part[] {
  const depth = random.uniform(12, 17);
  const half = length / 2;
  const color = hsl(random.pick([5, 25, 30, 215, 215, 350]), random.uniform(35, 75), random.uniform(22, 45));
  const stripe = hsl(random.uniform(0, 360), 20, 90);
  const outline = path`M${-half} ${deck}L${half} ${deck - 4}Q${half * 0.8} ${deck + depth} ${half * 0.5} ${deck + depth}L${-half * 0.7} ${deck + depth}Q${-half * 0.95} ${deck + depth * 0.6} ${-half} ${deck}Z`;
  return [
    { path: outline, fill: [color, 'hsl(25,40%,16%)'] },
    {
      path: polygon([-half, deck], [half, deck - 4], [half * 0.96, deck - 0.5], [-half * 0.98, deck + 3]),
      fill: stripe,
    },
  ];
}

function sailer(random: Random): Part[] {
  const length = random.uniform(66, 88);
  const deck = 34;
  const top = -50;
  const mast = random.uniform(-8, 8);
  const white = random.chance(0.6);
  const hue = white ? 45 : random.uniform(0, 360);
  const cloth = white ? hsl(hue, 25, random.uniform(88, 97)) : hsl(hue, random.uniform(50, 80), random.uniform(50, 65));
  const shade = white ? hsl(210, 12, 76) : hsl(hue + 12, 50, 34);
  const boom = -length * random.uniform(0.36, 0.48);
  const jib = length * random.uniform(0.34, 0.46);
  const foot = deck - random.uniform(5, 9);
  const belly = random.uniform(3, 9);
  const parts: Part[] = [
    { path: line([mast, top], [mast, deck]), stroke: 'hsl(28,35%,28%)', width: 2.4 },
    {
      path: path`M${mast - 1.5} ${top + 3}Q${mast + boom * 0.35 - belly} ${(top + foot) / 2} ${mast + boom} ${foot}L${mast - 1.5} ${foot}Z`,
      fill: [cloth, shade],
    },
  ];
  if (random.chance(0.9)) {
    const tack = mast + jib;
    parts.push({
      path: path`M${mast + 1.5} ${top + 9}Q${mast + jib * 0.55 + belly} ${(top + foot) / 2} ${tack} ${foot}Q${mast + jib * 0.5} ${foot - 4} ${mast + 2.5} ${foot - 2}Z`,
      fill: [cloth, shade],
    });
  }
  if (random.chance(0.5)) {
    const levels = [0.3, 0.55, 0.8].map((t) => top + (foot - top) * t);
    const seams = levels.map((y) => line([mast - 2, y], [mast + ((boom * (y - top)) / (foot - top)) * 0.8, y + 1]));
    parts.push({ path: seams.join(''), stroke: shade, width: 1.1 });
  }
  if (random.chance(0.4)) {
    parts.push({
      path: polygon([mast, top], [mast + 11, top + 3.5], [mast, top + 7]),
      fill: hsl(random.uniform(0, 360), 85, 50),
    });
  }
  return [...parts, ...hull(random, deck, length)];
}

function steamer(random: Random): Part[] {
  const length = random.uniform(88, 98);
  const deck = 18;
  const funnel = random.uniform(-16, 2);
  const cabin = hsl(random.uniform(20, 60), 30, random.uniform(84, 95));
  const band = hsl(random.uniform(0, 360), 75, 45);
  const ports = [-24, -12, 0, 12].map(
    (x): Part => ({ path: ellipse(x, deck - 8, 3), fill: 'hsl(210,50%,32%)', stroke: 'hsl(40,30%,70%)', width: 1 }),
  );
  return [
    { path: rectangle(funnel, -34, 12, 28), fill: band },
    { path: rectangle(funnel, -28, 12, 5), fill: 'hsl(0,0%,95%)' },
    { path: line([26, -26], [26, deck]), stroke: 'hsl(28,35%,28%)', width: 2 },
    { path: rectangle(-32, deck - 15, 52, 17), fill: cabin, stroke: 'hsl(30,15%,50%)' },
    { path: rectangle(-2, deck - 29, 18, 15), fill: cabin, stroke: 'hsl(30,15%,50%)' },
    { path: rectangle(2, deck - 26, 11, 6), fill: 'hsl(205,55%,45%)' },
    ...ports,
    ...hull(random, deck, length),
  ];
}
