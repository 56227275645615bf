/** Boxes from raw head outputs, and non-maximum suppression. */
export { activate, decodeNms, type DecodeNmsOptions, type DecodedDetections } from './reference.js';
