import type { Anchors } from '../config/network.js';
import { int } from './tf.js';

/** Attributes that describe the anchor grid to our ops; they compute it themselves and need no tensor of it. */
export const anchorAttributes = ({ height, width, strides }: Anchors) => ({
  height: int(height),
  width: int(width),
  strides: int([...strides]),
});
