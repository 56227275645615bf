import type { Random } from '../../base/random.js';
import { wheel } from './objects/car.js';
import { blob, type Drawing, ellipse, hsl, line, type Part, type Point, path, polygon, rectangle } from './shape.js';

const TRUNK = ['hsl(28,35%,34%)', 'hsl(25,40%,20%)'] as const;

const anyColor = (random: Random) => hsl(random.uniform(0, 360), random.uniform(30, 85), random.uniform(30, 65));
const leafColor = (random: Random) => hsl(random.uniform(65, 150), random.uniform(30, 65), random.uniform(20, 45));

/** An irregular closed outline around 0, 0. */
function lump(random: Random, radiusX: number, radiusY: number, corners: number): Point[] {
  return Array.from({ length: corners }, (_, i) => {
    const angle = (i / corners) * 2 * Math.PI;
    const reach = random.uniform(0.85, 1.25);
    return [Math.cos(angle) * radiusX * reach, Math.sin(angle) * radiusY * reach];
  });
}

function tree(random: Random): Part[] {
  const color = leafColor(random);
  const crowns = Array.from({ length: random.int(3, 6) }, (): Part => {
    const points = lump(random, random.uniform(14, 22), random.uniform(13, 20), 8);
    const [dx, dy] = [random.uniform(-14, 14), random.uniform(-32, -8)];
    return { path: blob(points.map(([x, y]) => [x + dx, y + dy])), fill: [color, leafColor(random)] };
  });
  return [{ path: polygon([-4, -10], [4, -10], [6, 50], [-6, 50]), fill: TRUNK }, ...crowns];
}

function fir(random: Random): Part[] {
  const color = leafColor(random);
  const tiers = [0, 1, 2].map((i): Part => {
    const [top, width] = [-20 + i * 18 - 30, 16 + i * 9];
    return { path: polygon([0, top], [width, top + 32], [-width, top + 32]), fill: [color, hsl(140, 40, 16)] };
  });
  return [{ path: rectangle(-4, 10, 8, 40), fill: TRUNK }, ...tiers.reverse()];
}

function rock(random: Random): Part[] {
  const base = random.uniform(35, 65);
  const outline = lump(random, 44, 28, random.int(6, 9));
  return [{ path: polygon(...outline), fill: [hsl(30, 8, base + 12), hsl(30, 10, base - 18)] }];
}

/** Has corners and windows like a house, but no roof. */
function crate(random: Random): Part[] {
  const color = hsl(random.uniform(15, 50), random.uniform(25, 60), random.uniform(45, 75));
  const half = random.uniform(26, 48);
  const boards = [-20, 0, 20].map((y) => line([-half, y], [half, y])).join('');
  const brace = line([-half, -38], [half, 38]);
  return [
    { path: rectangle(-half, -38, 2 * half, 76), fill: color, stroke: 'hsl(25,40%,25%)', width: 5 },
    { path: random.chance(0.5) ? boards : brace, stroke: 'hsl(25,40%,28%)', width: 3 },
  ];
}

/** A beach ball: bright like a balloon, but round, with wedges that meet in the centre. */
function ball(random: Random): Part[] {
  const colors = [anyColor(random), hsl(45, 60, 90)];
  const [hubX, hubY] = [random.uniform(-16, 16), random.uniform(-16, 16)];
  const rim = (angle: number): Point => [44 * Math.cos(angle), 44 * Math.sin(angle)];
  const wedges = [0, 2, 4].map((k): Part => {
    const [from, middle, to] = [k, k + 0.5, k + 1].map((step) => rim((step * Math.PI) / 3));
    return { path: polygon([hubX, hubY], from, middle, to), fill: colors[1] };
  });
  return [
    { path: ellipse(0, 0, 44), fill: colors[0] },
    ...(random.chance(0.7) ? wedges : []),
    { path: ellipse(hubX, hubY, 7), fill: colors[1] },
    { path: ellipse(-14, -18, 10, 7), fill: 'white', opacity: 0.45 },
  ];
}

/** A ring of petals coloured like wings. */
function flower(random: Random): Part[] {
  const color = hsl(
    random.pick([random.uniform(300, 420), random.uniform(30, 60), 210]),
    random.uniform(55, 90),
    random.uniform(50, 75),
  );
  const petals = random.int(5, 9);
  const ring = Array.from({ length: petals }, (_, i): Part => {
    const angle = (i / petals) * 2 * Math.PI;
    return { path: ellipse(Math.cos(angle) * 28, Math.sin(angle) * 28, 17), fill: [color, color] };
  });
  return [...ring, { path: ellipse(0, 0, 16), fill: 'hsl(42,90%,50%)' }];
}

function leaf(random: Random): Part[] {
  const color = leafColor(random);
  return [
    { path: 'M-48 0Q0 -40 48 0Q0 40 -48 0Z', fill: [color, leafColor(random)] },
    { path: line([-48, 0], [44, 0]), stroke: 'hsl(80,40%,60%)', width: 2 },
  ];
}

/** A triangle like a sail, on the ground. */
function cone(random: Random): Part[] {
  const color = hsl(random.uniform(5, 35), 90, 52);
  return [
    { path: polygon([-5, -46], [5, -46], [28, 40], [-28, 40]), fill: color },
    { path: polygon([-12, -18], [12, -18], [17, 0], [-17, 0]), fill: 'hsl(0,0%,94%)' },
    { path: rectangle(-38, 38, 76, 9), fill: color },
  ];
}

function tent(random: Random): Part[] {
  const color = anyColor(random);
  return [
    { path: polygon([-48, 36], [0, -36], [48, 36]), fill: [color, hsl(30, 30, 30)] },
    { path: polygon([-12, 36], [0, -22], [12, 36]), fill: 'hsl(30,20%,14%)' },
  ];
}

function sign(random: Random): Part[] {
  const round = random.chance(0.5);
  const face: Part = {
    path: round ? ellipse(0, -28, 21) : rectangle(-30, -48, 60, 34),
    fill: anyColor(random),
    stroke: 'hsl(0,0%,95%)',
    width: 4,
  };
  return [
    { path: rectangle(-3, -30, 6, 80), fill: 'hsl(215,8%,45%)' },
    face,
    { path: line([-12, -28], [12, -28]), stroke: 'hsl(0,0%,95%)', width: 5 },
  ];
}

function barrel(random: Random): Part[] {
  const color = hsl(random.uniform(10, 40), random.uniform(30, 70), random.uniform(25, 50));
  const hoops = [-24, 24].map((y): Part => ({ path: rectangle(-33, y - 3, 66, 6), fill: 'hsl(215,8%,30%)' }));
  return [{ path: 'M-28 -46Q-42 0 -28 46L28 46Q42 0 28 -46Z', fill: [color, hsl(25, 40, 18)] }, ...hoops];
}

const looseWheel = (random: Random): Part[] => wheel(0, 0, random.uniform(38, 46));

/** Paints things without a class that share colours and parts with the objects; 100 units across, like those. */
export const clutter = (random: Random): Drawing =>
  random.pick([tree, tree, tree, fir, rock, rock, crate, ball, flower, leaf, cone, tent, sign, barrel, looseWheel])(
    random,
  );

/** Paints what hides parts of objects: a post or a tuft `rooted` in the lower edge of the image, or a twig anywhere. */
export function foreground(random: Random): { drawing: Drawing; rooted: boolean } {
  const { draw, rooted } = random.pick([
    { draw: post, rooted: true },
    { draw: tuft, rooted: true },
    { draw: twig, rooted: false },
  ]);
  return { drawing: draw(random), rooted };
}

function post(random: Random): Part[] {
  const half = random.uniform(1.2, 3.2);
  const shade = random.uniform(12, 60);
  return [
    {
      path: rectangle(-half, -60, 2 * half, 120),
      fill: hsl(random.uniform(0, 360), 12, shade),
      stroke: hsl(30, 10, shade * 0.6),
      width: 0.8,
    },
  ];
}

function twig(random: Random): Part[] {
  const color = leafColor(random);
  const leaves = Array.from({ length: random.int(6, 11) }, (_, i): Part => {
    const x = -44 + i * 9;
    const y = (i % 2 ? 1 : -1) * random.uniform(5, 8);
    return { path: ellipse(x, y, random.uniform(4, 7), random.uniform(3, 5)), fill: [color, leafColor(random)] };
  });
  return [{ path: 'M-50 3Q0 -6 50 2', stroke: 'hsl(28,35%,25%)', width: 1.8 }, ...leaves];
}

function tuft(random: Random): Part[] {
  return Array.from({ length: random.int(9, 16) }, (): Part => {
    const x = random.uniform(-40, 40);
    const tip = x + random.uniform(-14, 14);
    const top = random.uniform(-34, 5);
    return {
      path: path`M${x - 2} 40Q${x} ${top + 20} ${tip} ${top}Q${x + 2} ${top + 22} ${x + 2.5} 40Z`,
      fill: leafColor(random),
    };
  });
}
