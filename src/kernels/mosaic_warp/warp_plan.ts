/** RGB interleaved bytes, row-major. */
export interface Pixels {
  width: number;
  height: number;
  data: Uint8Array;
}

/** x' = a·x + b·y + c, y' = d·x + e·y + f. */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** An image on a canvas; it shows only inside its rectangle, which no other tile of the layer overlaps. */
export interface Tile {
  /** Index into the images given with the plan. */
  image: number;
  /** Canvas rectangle, right and bottom exclusive. */
  left: number;
  top: number;
  right: number;
  bottom: number;
  /** Where the whole image would lie on the canvas, whatever its resolution. */
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A canvas seen through an affine. */
export interface Layer {
  tiles: readonly Tile[];
  /** Canvas size; `pad` shows between the tiles, `outside` beyond the canvas. Grey levels 0–255. */
  width: number;
  height: number;
  pad: number;
  outside: number;
  /** Output coordinates → canvas coordinates, both with pixel (0, 0) covering [0, 1). */
  inverse: Affine;
}

/** How one training image is made. */
export interface WarpPlan {
  /** One layer, or two that are averaged (mixup). */
  layers: readonly Layer[];
  /** Added to hue (0–180), saturation and value (0–255), as OpenCV scales them. */
  hsv: readonly [number, number, number];
}
