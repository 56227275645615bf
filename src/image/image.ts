/** Decoded image: upright (EXIF applied), sRGB, opaque, 8 bits. */
export interface Image {
  width: number;
  height: number;
  /** RGB interleaved, row-major, `width * height * 3` bytes. */
  data: Uint8Array;
  /** Of the image in full, where this is a reduction of it to the network's input. */
  original?: { width: number; height: number };
}
