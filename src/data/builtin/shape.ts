import sharp, { type Sharp } from 'sharp';

/** Approximate length of a drawing's longer side in its own coordinates. */
export const UNITS = 100;

/** A colour, or the two ends of a gradient from top to bottom. */
export type Paint = string | readonly [top: string, bottom: string];

/** One painted path. Coordinates are the drawing's own: x right, y down, `UNITS` across, centred on 0, 0. */
export interface Part {
  path: string;
  fill?: Paint;
  stroke?: string;
  width?: number;
  opacity?: number;
}

export type Drawing = readonly Part[];
export type Point = readonly [x: number, y: number];

/** Placement of a drawing in an image. */
export interface Placement {
  x: number;
  y: number;
  /** Pixels per unit, along the drawing's own axes; a negative `scaleX` mirrors it. */
  scaleX: number;
  scaleY: number;
  /** Degrees. */
  rotation: number;
  skew: number;
}

const number = (value: number) => String(Math.round(value * 100) / 100);

/** Template tag for path data that rounds numbers to hundredths of a unit. */
export const path = (strings: TemplateStringsArray, ...values: readonly number[]): string =>
  strings.reduce((text, string, i) => text + number(values[i - 1]) + string);

export const line = (...points: readonly Point[]): string => `M${points.map(([x, y]) => path`${x} ${y}`).join('L')}`;

export const polygon = (...points: readonly Point[]): string => `${line(...points)}Z`;

export const rectangle = (x: number, y: number, width: number, height: number): string =>
  path`M${x} ${y}h${width}v${height}h${-width}Z`;

export const ellipse = (x: number, y: number, radiusX: number, radiusY = radiusX): string =>
  path`M${x - radiusX} ${y}a${radiusX} ${radiusY} 0 0 1 ${2 * radiusX} 0a${radiusX} ${radiusY} 0 0 1 ${-2 * radiusX} 0Z`;

/** A closed curve through the midpoints of the control polygon's sides: a smooth blob inside it. */
export function blob(points: readonly Point[]): string {
  const middle = (i: number) => {
    const [a, b] = [points[i % points.length], points[(i + 1) % points.length]];
    return path`${(a[0] + b[0]) / 2} ${(a[1] + b[1]) / 2}`;
  };
  const curves = points.map((_, i) => {
    const [x, y] = points[(i + 1) % points.length];
    return path`Q${x} ${y} ` + middle(i + 1);
  });
  return `M${middle(0)}${curves.join('')}Z`;
}

/** Moves and scales every coordinate of a list of points. */
export const shift = (points: readonly Point[], dx: number, dy: number, scale = 1): Point[] =>
  points.map(([x, y]) => [x * scale + dx, y * scale + dy]);

export const hsl = (hue: number, saturation: number, lightness: number): string =>
  `hsl(${number(((hue % 360) + 360) % 360)},${number(saturation)}%,${number(lightness)}%)`;

/** Returns the `<g>` of a painted drawing; `id` distinguishes its gradients from those of other drawings. */
export function paint(drawing: Drawing, placement: Placement, id: string): string {
  const parts = drawing.map(({ path, fill = 'none', stroke, width = 1, opacity = 1 }, i) => {
    const [definition, color] =
      typeof fill === 'string' ? ['', fill] : [gradient(fill, `${id}.${i}`), `url(#${id}.${i})`];
    const outline = stroke ? ` stroke="${stroke}" stroke-width="${number(width)}"` : '';
    return `${definition}<path d="${path}" fill="${color}"${outline} opacity="${number(opacity)}"/>`;
  });
  return `<g transform="${transform(placement)}" stroke-linejoin="round" stroke-linecap="round">${parts.join('')}</g>`;
}

/** Returns the outline in one flat colour. */
export function silhouette(drawing: Drawing, placement: Placement, color: string): string {
  const parts = drawing.map(({ path, fill = 'none', stroke, width = 1 }) => {
    const outline = stroke ? ` stroke="${color}" stroke-width="${number(width)}"` : '';
    return `<path d="${path}" fill="${fill === 'none' ? 'none' : color}"${outline}/>`;
  });
  return `<g transform="${transform(placement)}" stroke-linejoin="round" stroke-linecap="round">${parts.join('')}</g>`;
}

/**
 * Renders one of our drawings. SVG stays blocked wherever user images are decoded; only processes that generate images
 * allow it, and only here.
 */
export function render(drawing: Buffer): Sharp {
  sharp.unblock({ operation: ['VipsForeignLoadSvg'] });
  return sharp(drawing);
}

export const svg = (width: number, height: number, content: string): Buffer =>
  Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${content}</svg>`);

function gradient([top, bottom]: readonly [string, string], id: string): string {
  const stops = `<stop offset="0" stop-color="${top}"/><stop offset="1" stop-color="${bottom}"/>`;
  return `<linearGradient id="${id}" x1="0" y1="0" x2="0" y2="1">${stops}</linearGradient>`;
}

function transform({ x, y, scaleX, scaleY, rotation, skew }: Placement): string {
  // Four decimals, because the scale of a small object is about 0.1 per unit.
  const [sx, sy] = [scaleX.toFixed(4), scaleY.toFixed(4)];
  return `translate(${number(x)} ${number(y)}) rotate(${number(rotation)}) skewX(${number(skew)}) scale(${sx} ${sy})`;
}
