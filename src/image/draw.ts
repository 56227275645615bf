import { createRequire } from 'node:module';
import sharp from 'sharp';
import { readHead } from '../base/files.js';
import { inkOn } from './colors.js';
import type { Image } from './image.js';

/** Rectangle with a label, in pixels of the image. */
export interface LabelledBox {
  box: readonly [x1: number, y1: number, x2: number, y2: number];
  /** Text of the tag; empty draws the rectangle alone. */
  label: string;
  /** `#rrggbb`. */
  color: string;
  dashed?: boolean;
}

export interface AnnotateOptions {
  /** Longer side of the result, pixels; a larger image is scaled down before drawing, so that tags stay readable. */
  maxSide?: number;
  format?: 'jpeg' | 'png';
  /** JPEG quality, 1–100. */
  quality?: number;
}

/** EXIF Software tag of annotated JPEGs. It distinguishes them from other images, which must not be replaced. */
const MADE_BY = 'yolox-node, annotated';

/** Bytes at the start of a JPEG that contain its EXIF. */
const HEAD_BYTES = 1024;

/** The package brings its own font: containers have none, and then pango draws nothing. */
const FONT_FILE = createRequire(import.meta.url).resolve('dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf');
const FONT = 'DejaVu Sans Bold';

interface Area {
  left: number;
  top: number;
  width: number;
  height: number;
}

interface Tag extends Area {
  color: string;
  ink: Buffer;
}

/**
 * Draws boxes with their tags over an image, most important first; returns a JPEG, or a PNG. The first box is on top,
 * and its tag chooses its place first: tags never cover each other, and one without a free place is left out.
 */
export async function annotate(
  image: Image,
  boxes: readonly LabelledBox[],
  { maxSide = 1280, format = 'jpeg', quality = 85 }: AnnotateOptions = {},
): Promise<Buffer> {
  const longer = Math.max(image.width, image.height);
  const scale = Math.min(1, maxSide / longer);
  const width = Math.max(1, Math.round(image.width * scale));
  const height = Math.max(1, Math.round(image.height * scale));
  const line = Math.max(2, Math.round((longer * scale) / 400));
  const fontSize = Math.round(Math.min(24, Math.max(9, (longer * scale) / 55)));
  const pad = Math.round(fontSize / 4);

  const scaled = boxes.map((entry) => ({ ...entry, box: entry.box.map((value) => value * scale) }));
  const tags: Tag[] = [];
  for (const { box, label, color } of scaled) {
    if (!label.trim()) continue;
    const { data, info } = await renderText(label, inkOn(color), fontSize);
    const size = { width: info.width + 2 * pad, height: fontSize + 2 * pad };
    const place = placeTag(size, box, { width, height }, tags);
    // Glyphs may be taller than the font size suggests.
    if (place && place.top + pad + info.height <= height) tags.push({ ...place, color, ink: data });
  }
  const raw = { width: image.width, height: image.height, channels: 3 } as const;
  // Decoding has already limited its size.
  const canvas = await sharp(image.data, { raw, limitInputPixels: false })
    .resize(width, height, { fit: 'fill' })
    .raw()
    .toBuffer();
  const paint = (area: Area, color: string) => fill(canvas, { width, height }, area, color);
  for (const { box, color, dashed } of scaled.toReversed()) outline(box, line, dashed ?? false, paint, color);
  for (const tag of tags) paint(tag, tag.color);
  const drawn = sharp(canvas, { raw: { width, height, channels: 3 } }).composite(
    tags.map(({ ink, left, top }) => ({ input: ink, left: left + pad, top: top + pad })),
  );
  if (format === 'png') return drawn.removeAlpha().png().toBuffer();
  // Chroma subsampling would wash out lines this thin.
  return drawn
    .withExif({ IFD0: { Software: MADE_BY } })
    .jpeg({ quality, chromaSubsampling: '4:4:4' })
    .toBuffer();
}

/**
 * Fills whole pixels of an area with a colour. Drawing SVG would require librsvg in a process that decodes untrusted
 * files.
 */
function fill(data: Uint8Array, { width, height }: Pick<Image, 'width' | 'height'>, area: Area, color: string): void {
  const [left, right] = [area.left, area.left + area.width].map((x) => Math.min(width, Math.max(0, Math.round(x))));
  const [top, bottom] = [area.top, area.top + area.height].map((y) => Math.min(height, Math.max(0, Math.round(y))));
  const rgb = Buffer.from(color.slice(1), 'hex');
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) data.set(rgb, 3 * (y * width + x));
  }
}

/** Strokes a rectangle, half of the line on either side of it; dashes are four lines long, three apart. */
function outline(
  [x1, y1, x2, y2]: readonly number[],
  line: number,
  dashed: boolean,
  paint: (area: Area, color: string) => void,
  color: string,
): void {
  const half = line / 2;
  const sides: Area[] = [
    { left: x1 - half, top: y1 - half, width: x2 - x1 + line, height: line },
    { left: x1 - half, top: y2 - half, width: x2 - x1 + line, height: line },
    { left: x1 - half, top: y1 - half, width: line, height: y2 - y1 + line },
    { left: x2 - half, top: y1 - half, width: line, height: y2 - y1 + line },
  ];
  for (const side of sides) {
    for (const part of dashed ? dashes(side, line) : [side]) paint(part, color);
  }
}

function dashes({ left, top, width, height }: Area, line: number): Area[] {
  const along = width > height;
  const length = Math.max(width, height);
  return Array.from({ length: Math.ceil(length / (7 * line)) }, (_, i) => {
    const start = 7 * line * i;
    const dash = Math.min(4 * line, length - start);
    return along ? { left: left + start, top, width: dash, height } : { left, top: top + start, width, height: dash };
  });
}

/** A place on the box's top or bottom edge, outside or inside, within the image and free of other tags. */
function placeTag(
  { width, height }: Pick<Area, 'width' | 'height'>,
  [x1, y1, , y2]: readonly number[],
  image: Pick<Image, 'width' | 'height'>,
  placed: readonly Area[],
): Area | undefined {
  const left = Math.round(Math.max(0, Math.min(x1, image.width - width)));
  return [y1 - height, y1, y2, y2 - height]
    .map((top) => ({ left, top: Math.round(top), width, height }))
    .find((area) => {
      const inside = area.top >= 0 && area.top + height <= image.height && left + width <= image.width;
      return inside && !placed.some((other) => overlap(area, other));
    });
}

function overlap(a: Area, b: Area): boolean {
  return a.left < b.left + b.width && b.left < a.left + a.width && a.top < b.top + b.height && b.top < a.top + a.height;
}

/** The ink of `text`, cropped, as a transparent PNG. */
function renderText(text: string, color: string, fontSize: number) {
  const markup = `<span foreground="${color}">${escapeMarkup(text)}</span>`;
  // At 72 dpi a point is a pixel.
  return sharp({ text: { text: markup, font: `${FONT} ${fontSize}`, fontfile: FONT_FILE, rgba: true, dpi: 72 } })
    .png()
    .toBuffer({ resolveWithObject: true });
}

function escapeMarkup(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Whether a file is an image that {@link annotate} drew, by the mark in its EXIF. */
export async function isAnnotated(path: string): Promise<boolean> {
  return (await readHead(path, HEAD_BYTES)).includes(MADE_BY);
}
