import type { Random } from '../../../base/random.js';
import { type Drawing, hsl, line, type Part, path, polygon, rectangle } from '../shape.js';

/** A hot-air balloon: striped envelope, ropes, basket. */
export function balloon(random: Random): Drawing {
  const half = random.uniform(27, 37);
  const [top, mouth] = [-50, random.uniform(16, 24)];
  const throat = random.uniform(6, 9);
  const hue = random.uniform(0, 360);
  const colors = [
    hsl(hue, random.uniform(65, 90), random.uniform(42, 56)),
    random.chance(0.5)
      ? hsl(45, 70, 92)
      : hsl(hue + random.uniform(80, 280), random.uniform(60, 90), random.uniform(48, 66)),
  ];
  const gores = random.pick([6, 8, 10]);
  const twist = random.uniform(-0.25, 0.25);
  const parts: Part[] = [...basket(random, mouth, throat)];
  // Meridians of a turning sphere: equal steps of the angle, so gores look narrower towards the rim.
  const meridian = (k: number) =>
    Math.sin(Math.min(Math.PI / 2, Math.max(-Math.PI / 2, ((k + twist) / gores - 0.5) * Math.PI)));
  for (let k = -1; k <= gores; k++) {
    const [a, b] = [meridian(k), meridian(k + 1)];
    if (a === b) continue;
    parts.push({ path: gore(a, b, half, top, mouth, throat), fill: colors[(k + gores) % 2] });
  }
  if (random.chance(0.45)) {
    const [high, low] = random.pick([
      [-26, -16],
      [-20, -4],
      [-8, 2],
    ] as const);
    const width = (y: number) => half * Math.sqrt(Math.max(0, 1 - ((y + 16) / 36) ** 2)) * 0.97;
    const band = polygon([-width(high), high], [width(high), high], [width(low), low], [-width(low), low]);
    parts.push({ path: band, fill: hsl(hue + 180, 70, random.uniform(30, 75)) });
  }
  parts.push({ path: gore(0.35, 1, half, top, mouth, throat), fill: 'hsl(230,40%,15%)', opacity: 0.18 });
  return parts;
}

/** A strip of the envelope between two meridians, given as fractions −1…1 of its half width. */
function gore(a: number, b: number, half: number, top: number, mouth: number, throat: number): string {
  const [leftX, rightX] = [a * half * 1.05, b * half * 1.05];
  const down = path`C${leftX} ${top} ${leftX} -38 ${leftX} -16C${leftX} 4 ${a * throat * 1.4} ${mouth - 10} ${a * throat} ${mouth}`;
  const up = path`C${b * throat * 1.4} ${mouth - 10} ${rightX} 4 ${rightX} -16C${rightX} -38 ${rightX} ${top} 0 ${top}`;
  return path`M0 ${top}` + down + path`L${b * throat} ${mouth}` + up;
}

function basket(random: Random, mouth: number, throat: number): Part[] {
  const width = random.uniform(13, 18);
  const [rim, bottom] = [50 - random.uniform(10, 14), 50];
  const half = width / 2;
  const ropes = `${line([-throat, mouth - 1], [-half, rim])}${line([throat, mouth - 1], [half, rim])}`;
  return [
    { path: ropes, stroke: 'hsl(30,25%,25%)', width: 1.4 },
    {
      path: polygon([-half, rim], [half, rim], [half * 0.85, bottom], [-half * 0.85, bottom]),
      fill: ['hsl(30,55%,42%)', 'hsl(25,55%,26%)'],
    },
    { path: rectangle(-half - 1, rim - 1, width + 2, 3), fill: 'hsl(28,50%,24%)' },
  ];
}
