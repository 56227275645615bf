import type { Random } from '../../base/random.js';
import type { Image } from '../../image/image.js';
import type { SceneMask } from './mask.js';

/** Entries in the table of normal deviates: drawing one for every pixel would cost more than painting the image. */
const DEVIATES = 16384;

/**
 * Lighting of one image; lengths in pixels, directions as unit vectors, everything else as a fraction of full light.
 */
interface Weather {
  towards: [x: number, y: number];
  /** Change of light across the image, and across each object. */
  slope: number;
  shading: number;
  /** Edge of a shadow, at this fraction of the image along `towards`. */
  shadow: { at: number; depth: number } | null;
  vignette: number;
  haze: number;
  glare: { x: number; y: number; radius: number; strength: number } | null;
  contrast: number;
  /** Factors of red, green and blue: exposure and colour cast. */
  gains: number[];
}

function drawWeather(random: Random, width: number, height: number): Weather {
  const angle = random.uniform(0, 2 * Math.PI);
  const night = random.chance(0.04);
  const exposure = night ? random.uniform(0.45, 0.6) : Math.min(1.25, Math.max(0.75, random.normal(1, 0.1)));
  const glare = () => ({
    x: random.uniform(0, 1) * width,
    y: random.uniform(0, 0.6) * height,
    radius: random.uniform(0.1, 0.3) * Math.max(width, height),
    strength: random.uniform(60, 170),
  });
  return {
    towards: [Math.cos(angle), Math.sin(angle)],
    slope: random.uniform(0, 0.35),
    shading: random.uniform(0, 0.3),
    shadow: random.chance(0.15) ? { at: random.uniform(-0.3, 0.3), depth: random.uniform(0.25, 0.45) } : null,
    vignette: random.chance(0.4) ? random.uniform(0.2, 1) : 0,
    haze: random.chance(0.12) ? random.uniform(0.1, 0.3) : 0,
    glare: random.chance(0.1) ? glare() : null,
    contrast: random.uniform(0.8, 1.2),
    gains: [-1, 0, 1].map((tint) => exposure * random.normal(night ? 1 + tint * 0.12 : 1, 0.04)),
  };
}

/**
 * Lights a painted scene in place, as a camera would see it: surface texture, shading of each object from one side, a
 * gradient or a shadow across the image, vignette, haze, glare, exposure, contrast and colour cast.
 */
export function light(image: Image, { ids, objects }: SceneMask, random: Random): void {
  const { width, height } = image;
  const pixels = clamped(image);
  const side = Math.max(width, height);
  const { towards, slope, shading, shadow, vignette, haze, glare, contrast, gains } = drawWeather(
    random,
    width,
    height,
  );
  const coarse = turbulence(random, width, height, side * random.uniform(0.03, 0.2));
  const fine = turbulence(random, width, height, side * random.uniform(0.015, 0.04));
  const ground = random.uniform(0.02, 0.16);
  const surfaces = new Map(objects.map(({ id, bbox }) => [id, { bbox, roughness: random.uniform(0, 0.09) }]));

  for (let y = 0, p = 0; y < height; y++) {
    for (let x = 0; x < width; x++, p++) {
      const along = (x / width - 0.5) * towards[0] + (y / height - 0.5) * towards[1];
      const fromCentre = (x / width - 0.5) ** 2 + (y / height - 0.5) ** 2;
      let level = (1 + slope * along) * (1 - vignette * fromCentre);
      const surface = ids[p] > 0 ? surfaces.get(ids[p]) : undefined;
      if (surface) {
        const [left, top, w, h] = surface.bbox;
        const lean = ((x - left) / w - 0.5) * towards[0] + ((y - top) / h - 0.5) * towards[1];
        level *= 1 + surface.roughness * fine[p] + shading * lean;
      } else {
        level *= 1 + ground * coarse[p];
      }
      if (shadow) level *= 1 - shadow.depth * smoothStep((along - shadow.at) / 0.06);
      const veil = haze * (1 - (0.5 * y) / height);
      const distance = glare ? ((x - glare.x) ** 2 + (y - glare.y) ** 2) / (2 * glare.radius ** 2) : 0;
      const flare = glare ? glare.strength * Math.exp(-distance) : 0;
      for (let c = 0; c < 3; c++) {
        const lit = (pixels[p * 3 + c] * level * gains[c] - 128) * contrast + 128;
        pixels[p * 3 + c] = lit * (1 - veil) + 215 * veil + flare;
      }
    }
  }
}

/** Adds sensor noise in place: `deviation` grey levels at mid grey, more in bright areas (shot noise). */
export function grain(image: Image, deviation: number, random: Random): void {
  const deviates = Float32Array.from({ length: DEVIATES }, () => random.normal());
  const pixels = clamped(image);
  let at = 0;
  for (let i = 0; i < pixels.length; i++) {
    // Regular random restarts keep the period of the table out of the image.
    at = i % 509 === 0 ? random.int(0, DEVIATES - 1) : (at + 1) % DEVIATES;
    pixels[i] += deviates[at] * deviation * (0.6 + pixels[i] / 320);
  }
}

/** A view of the same bytes that rounds and clips values on writing. */
const clamped = ({ data }: Image) => new Uint8ClampedArray(data.buffer, data.byteOffset, data.length);

/** Fractal value noise in about −1…1: three octaves, the first `cell` pixels wide. */
function turbulence(random: Random, width: number, height: number, cell: number): Float32Array {
  const field = new Float32Array(width * height);
  for (let octave = 0; octave < 3; octave++) {
    const pitch = Math.max(1, cell / 2 ** octave);
    const weight = 0.57 / 2 ** octave;
    const stride = Math.ceil(width / pitch) + 2;
    const lattice = Float32Array.from({ length: stride * (Math.ceil(height / pitch) + 2) }, () =>
      random.uniform(-1, 1),
    );
    const columns = Int32Array.from({ length: width }, (_, x) => x / pitch);
    const blends = Float32Array.from(columns, (column, x) => smoothStep(x / pitch - column));
    for (let y = 0, p = 0; y < height; y++) {
      const row = Math.floor(y / pitch);
      const v = smoothStep(y / pitch - row);
      for (let x = 0; x < width; x++, p++) {
        const i = row * stride + columns[x];
        const u = blends[x];
        const upper = lattice[i] + u * (lattice[i + 1] - lattice[i]);
        const lower = lattice[i + stride] + u * (lattice[i + stride + 1] - lattice[i + stride]);
        field[p] += weight * (upper + v * (lower - upper));
      }
    }
  }
  return field;
}

function smoothStep(t: number): number {
  const inside = Math.min(1, Math.max(0, t));
  return inside * inside * (3 - 2 * inside);
}
