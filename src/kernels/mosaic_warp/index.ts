/** Training pictures: mosaic, affine, mixup, colour and letterbox in one inverse-mapped sampling pass. */
export { type Affine, type Layer, mosaicWarp, type Recipe, type Tile } from './reference.js';
