import type { Random } from '../../../base/random.js';
import { blob, type Drawing, ellipse, hsl, type Part, type Point, shift } from '../shape.js';

/** A butterfly from above, at various angles. */
export function butterfly(random: Random): Drawing {
  const hue = random.pick([random.uniform(10, 55), random.uniform(10, 55), random.uniform(190, 330), 60]);
  const wing = hsl(hue, random.uniform(70, 95), random.uniform(48, 68));
  const second = random.chance(0.6) ? wing : hsl(hue + random.uniform(-60, 60), 80, 60);
  const rim = hsl(hue, 45, random.uniform(8, 18));
  const spot = random.chance(0.5) ? 'hsl(50,80%,92%)' : hsl(hue + 180, 70, 60);
  const reach = random.uniform(40, 49);
  const upper: Point[] = [
    [1, -4],
    [reach * 0.35, -46],
    [reach, -44],
    [reach * 1.08, -16],
    [reach * 0.6, 4],
    [1, 4],
  ];
  const tail = random.chance(0.4) ? 46 : 38;
  const lower: Point[] = [
    [1, -1],
    [reach * 0.55, -4],
    [reach * 0.95, 12],
    [reach * 0.62, tail],
    [reach * 0.3, 34],
    [1, 12],
  ];
  // A wing partly folded towards the viewer looks narrower than the other.
  const folds = [1, -random.uniform(0.55, 1)];
  const parts = folds.flatMap((fold): Part[] => {
    const across = (points: readonly Point[]): Point[] => points.map(([x, y]) => [x * fold, y]);
    const inner = (points: readonly Point[], scale: number) => across(shift(points, reach * 0.04, -1, scale));
    return [
      { path: blob(across(lower)), fill: rim },
      { path: blob(inner(lower, 0.8)), fill: second },
      { path: blob(across(upper)), fill: rim },
      { path: blob(inner(upper, 0.8)), fill: wing },
      ...spots(
        random,
        across([
          [reach * 0.6, -24],
          [reach * 0.38, -15],
          [reach * 0.5, 14],
        ]),
        spot,
      ),
    ];
  });
  const antennae = 'M0 -18Q-3 -30 -11 -37M0 -18Q3 -30 11 -37';
  return [
    ...parts,
    { path: antennae, stroke: rim, width: 1.6 },
    { path: ellipse(0, 2, 3.6, 21), fill: ['hsl(25,25%,25%)', 'hsl(25,30%,8%)'] },
    { path: ellipse(0, -19, 3.8), fill: 'hsl(25,25%,12%)' },
  ];
}

const spots = (random: Random, centres: readonly Point[], color: string): Part[] =>
  centres.map(([x, y]) => ({ path: ellipse(x, y, random.uniform(2.4, 5)), fill: color }));
