import type { BatchResult, DetectRequest, FileBytes, Outcome } from '../detect_request.js';

/**
 * What goes between the service and a detector's thread, each way: two unsigned 32-bit little-endian numbers, the bytes
 * of a JSON text and those that follow it, then the text, then those bytes.
 */
export const LENGTHS_BYTES = 8;

/** A frame taken apart. */
export interface Frame {
  text: Uint8Array;
  bytes: Uint8Array;
}

/** A request without its file, which is among the bytes. */
type RequestHead = Omit<DetectRequest, 'bytes'> & { length: number };

/** A batch's result without the images drawn, which are among the bytes; or the message of a fault of ours, for the log. */
type ResultHead =
  | { outcomes: (Omit<Outcome, 'drawn'> & { drawnLength?: number })[]; times: BatchResult['times'] }
  | { failed: string };

/** A batch that failed in the thread as a whole. */
export class BatchFailed extends Error {}

/** A batch as buffers to be written one after the other; the files are not copied. */
export function encodeRequests(requests: readonly DetectRequest[]): Uint8Array[] {
  const heads = requests.map(({ bytes, ...asked }): RequestHead => ({ length: lengthOf(bytes), ...asked }));
  return encode(
    heads,
    requests.flatMap(({ bytes }) => bytes),
  );
}

export const lengthOf = (bytes: FileBytes): number =>
  bytes instanceof Uint8Array ? bytes.length : bytes.reduce((sum, { length }) => sum + length, 0);

/** The files are views of the frame's bytes. */
export function decodeRequests({ text, bytes }: Frame): DetectRequest<Uint8Array>[] {
  const split = splitter(bytes);
  return (parse(text) as RequestHead[]).map(({ length, ...asked }) => ({ bytes: split(length), ...asked }));
}

export function encodeResult({ outcomes, times }: BatchResult): Uint8Array[] {
  const drawn = outcomes.map((outcome) => ('drawn' in outcome ? outcome.drawn : undefined));
  const heads = outcomes.map((outcome, i) => ({ ...outcome, drawn: undefined, drawnLength: drawn[i]?.length }));
  return encode(
    { outcomes: heads, times } satisfies ResultHead,
    drawn.filter((one) => one !== undefined),
  );
}

export const encodeFailure = (failed: string): Uint8Array[] => encode({ failed } satisfies ResultHead, []);

/** @throws BatchFailed with what the thread says of it */
export function decodeResult({ text, bytes }: Frame): BatchResult {
  const head = parse(text) as ResultHead;
  if ('failed' in head) throw new BatchFailed(head.failed);
  const split = splitter(bytes);
  const outcomes = head.outcomes.map(
    ({ drawnLength, ...outcome }) =>
      ({ ...outcome, ...(drawnLength !== undefined && { drawn: split(drawnLength) }) }) as Outcome,
  );
  return { outcomes, times: head.times };
}

/** Bytes of the text and of what follows it. */
export function readLengths(lengths: Uint8Array): [text: number, bytes: number] {
  const view = new DataView(lengths.buffer, lengths.byteOffset, LENGTHS_BYTES);
  return [view.getUint32(0, true), view.getUint32(4, true)];
}

function encode(head: unknown, bytes: readonly Uint8Array[]): Uint8Array[] {
  const text = Buffer.from(JSON.stringify(head));
  const first = Buffer.allocUnsafe(LENGTHS_BYTES + text.length);
  first.writeUInt32LE(text.length, 0);
  first.writeUInt32LE(lengthOf(bytes), 4);
  text.copy(first, LENGTHS_BYTES);
  return [first, ...bytes];
}

const parse = ({ buffer, byteOffset, length }: Uint8Array): unknown =>
  JSON.parse(Buffer.from(buffer, byteOffset, length).toString());

/** Cuts pieces off the front. */
function splitter(bytes: Uint8Array): (length: number) => Uint8Array {
  let at = 0;
  return (length) => {
    at += length;
    return bytes.subarray(at - length, at);
  };
}

/** Puts frames together from the pieces of a stream, however it was cut. */
export class FrameReader {
  #pieces: Uint8Array[] = [];
  #held = 0;
  /** Bytes of the frame that is coming, once its lengths are there. */
  #wanted = LENGTHS_BYTES;

  /** @returns the frame, once its last byte is there; one frame at a time is under way */
  add(piece: Uint8Array): Frame | undefined {
    this.#pieces.push(piece);
    this.#held += piece.length;
    while (this.#held >= this.#wanted) {
      const all = this.#pieces.length === 1 ? this.#pieces[0] : Buffer.concat(this.#pieces, this.#held);
      const [text, bytes] = readLengths(all);
      this.#wanted = LENGTHS_BYTES + text + bytes;
      this.#pieces = [all];
      if (this.#held < this.#wanted) break;
      [this.#pieces, this.#held, this.#wanted] = [[], 0, LENGTHS_BYTES];
      const end = LENGTHS_BYTES + text;
      return { text: all.subarray(LENGTHS_BYTES, end), bytes: all.subarray(end, end + bytes) };
    }
    return undefined;
  }
}
