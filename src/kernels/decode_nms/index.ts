/** Boxes from raw head outputs, and non-maximum suppression. */
export { activate, type DecodedDetections, type DecodeNmsOptions, decodeNms } from './reference.js';
