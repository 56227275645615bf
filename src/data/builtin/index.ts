import sharp from 'sharp';
import { Random } from '../../base/random.js';
import type { CocoAnnotation, CocoCategory, CocoImage } from '../../detect/coco.js';
import { grain, light } from './light.js';
import { maskScene, type SceneMask, type VisibleObject } from './mask.js';
import { composeScene, KINDS, type Layer, type Scene } from './scene.js';
import { paint, render, silhouette, svg, UNITS } from './shape.js';

/** Images painted at the same time; sharp works on its own threads. */
const AHEAD = 4;
/** Objects that are less visible or smaller than this get no box. */
const LEAST_VISIBLE = 0.25;
const LEAST_SIDE = 4;

export const BUILTIN_CATEGORIES: readonly CocoCategory[] = KINDS.map(({ name }, i) => ({ id: i + 1, name }));

export interface BuiltinImage {
  image: CocoImage;
  /** Boxes enclose the visible pixels tightly; `area` counts them. */
  annotations: CocoAnnotation[];
  /** JPEG. */
  bytes: Buffer;
}

/**
 * Generates the built-in dataset, one image at a time: drawn scenes of five classes with clutter, occlusion, varied
 * lighting and sensor noise. An image depends only on `seed`, `side` (its longer side in pixels) and its index.
 */
export async function* generateBuiltin(options: {
  images: number;
  side: number;
  seed: number;
}): AsyncGenerator<BuiltinImage> {
  const pending: Promise<Rendered>[] = [];
  let annotationId = 1;
  for (let index = 0; index < options.images; index++) {
    while (pending.length < AHEAD && index + pending.length < options.images) {
      pending.push(renderScene(new Random(options.seed, 'builtin', index + pending.length), options.side));
    }
    const { scene, mask, bytes } = await (pending.shift() as Promise<Rendered>);
    const id = index + 1;
    const image: CocoImage = {
      id,
      file_name: `${String(id).padStart(6, '0')}.jpg`,
      width: scene.width,
      height: scene.height,
    };
    const annotations = mask.objects.filter(isRecognisable).map(({ kind, bbox, area }): CocoAnnotation => {
      return { id: annotationId++, image_id: id, category_id: kind + 1, bbox, area, iscrowd: 0 };
    });
    yield { image, annotations, bytes };
  }
}

const isRecognisable = ({ area, unoccluded, bbox: [, , width, height] }: VisibleObject): boolean =>
  area >= LEAST_VISIBLE * unoccluded && Math.min(width, height) >= LEAST_SIDE;

interface Rendered {
  scene: Scene;
  mask: SceneMask;
  bytes: Buffer;
}

async function renderScene(random: Random, side: number): Promise<Rendered> {
  const scene = composeScene(random, side);
  const { width, height } = scene;
  const raw = { width, height, channels: 3 } as const;
  const lightSide = random.pick([-1, 1]);
  const content = scene.layers.map((layer, i) => paintLayer(layer, i, lightSide)).join('');
  const upright = { x: 0, y: 0, scaleX: 1, scaleY: 1, rotation: 0, skew: 0 };
  const [painted, mask] = await Promise.all([
    render(svg(width, height, paint(scene.backdrop, upright, 'b') + content))
      .flatten()
      .raw()
      .toBuffer(),
    maskScene(scene),
  ]);
  light({ width, height, data: painted }, mask, random);
  const blur = random.chance(0.3) ? (side / 256) * random.uniform(0.3, 1.2) : 0;
  // sharp refuses to blur below 0.3, where it would be invisible anyway.
  const data = blur < 0.3 ? painted : await sharp(painted, { raw }).blur(blur).raw().toBuffer();
  grain({ width, height, data }, random.uniform(0.5, 3) * random.uniform(0.8, 2.5), random);
  const bytes = await sharp(data, { raw })
    .jpeg({ quality: random.int(60, 95) })
    .toBuffer();
  return { scene, mask, bytes };
}

/** Paints a drawing over its shadow, which falls to the side and down. */
function paintLayer({ drawing, placement, shadow }: Layer, index: number, lightSide: number): string {
  const drawn = paint(drawing, placement, `l${index}`);
  if (!shadow) return drawn;
  const reach = placement.scaleY * UNITS;
  const fallen = { ...placement, x: placement.x + lightSide * reach * 0.06, y: placement.y + reach * 0.04 };
  return `<g opacity="0.28">${silhouette(drawing, fallen, 'black')}</g>${drawn}`;
}
