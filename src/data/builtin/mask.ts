import type { Box } from '../../detect/box.js';
import type { Layer, Scene } from './scene.js';
import { render, silhouette, svg } from './shape.js';

/** The visible part of an object in a scene. */
export interface VisibleObject {
  /** Its value in the map, 1…n. */
  id: number;
  /** Index in `KINDS`. */
  kind: number;
  /** Tight extent of its visible pixels. */
  bbox: Box;
  /** Number of visible pixels, and of all pixels without occlusion. */
  area: number;
  unoccluded: number;
}

export interface SceneMask {
  /** For each pixel, the id of the visible object, or 0. */
  ids: Uint8Array;
  objects: VisibleObject[];
}

/** Renders only outlines, without anti-aliasing: the scene as a map of ids, and below it each object alone. */
export async function maskScene({ width, height, layers }: Scene): Promise<SceneMask> {
  const labelled = layers.filter(({ kind }) => kind !== null);
  const idOf = (layer: Layer) => labelled.indexOf(layer) + 1;
  const flat = (layer: Layer) => silhouette(layer.drawing, layer.placement, `rgb(0,0,${idOf(layer)})`);
  const tiles = [layers.map(flat).join(''), ...labelled.map(flat)].map(
    (content, i) => `<svg y="${i * height}" width="${width}" height="${height}">${content}</svg>`,
  );
  const drawing = svg(width, height * tiles.length, `<g shape-rendering="crispEdges">${tiles.join('')}</g>`);
  const map = await render(drawing).extractChannel('blue').raw().toBuffer();
  const size = width * height;
  const ids = map.subarray(0, size);
  const objects = labelled.flatMap(({ kind }, i): VisibleObject[] => {
    const id = i + 1;
    const seen = extentOf(ids, width, id);
    const alone = extentOf(map.subarray(id * size, (id + 1) * size), width, id);
    return seen && alone && kind !== null ? [{ id, kind, ...seen, unoccluded: alone.area }] : [];
  });
  return { ids, objects };
}

function extentOf(ids: Uint8Array, width: number, id: number): Pick<VisibleObject, 'bbox' | 'area'> | null {
  let [left, top, right, bottom, area] = [width, -1, -1, -1, 0];
  for (let p = ids.indexOf(id); p !== -1; p = ids.indexOf(id, p + 1)) {
    const [x, y] = [p % width, Math.floor(p / width)];
    if (top < 0) top = y;
    left = Math.min(left, x);
    right = Math.max(right, x);
    bottom = y;
    area++;
  }
  return area === 0 ? null : { bbox: [left, top, right - left + 1, bottom - top + 1], area };
}
