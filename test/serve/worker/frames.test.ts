import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BatchResult } from '../../../src/serve/detect_request.js';
import {
  BatchFailed,
  decodeRequests,
  decodeResult,
  encodeFailure,
  encodeRequests,
  encodeResult,
  type Frame,
  FrameReader,
} from '../../../src/serve/worker/frames.js';

const test = suite('frames');

/** Objects as JSON gives them. */
const plain = { noNullPrototype: true };
const bytes = fc.uint8Array({ maxLength: 200 });
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);

/** What a stream cut at random gives. */
function framesOf(stream: Uint8Array, cuts: readonly number[]): Frame[] {
  const reader = new FrameReader();
  const edges = [0, ...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b), stream.length];
  return edges.slice(1).flatMap((end, i) => reader.add(stream.subarray(edges[i], end)) ?? []);
}

const cuts = fc.array(fc.nat(), { maxLength: 20 });

test('requests arrive as they were sent, wherever the stream or a file is cut', () => {
  const request = fc.record(
    {
      bytes: fc.oneof(bytes, fc.array(bytes, { maxLength: 4 })),
      thresholds: fc.record({ confidence: fc.float({ min: 0, max: 1, noNaN: true }).map((value) => value + 0) }, plain),
      draw: fc.boolean(),
    },
    { requiredKeys: ['bytes'], ...plain },
  );
  fc.assert(
    fc.property(fc.array(request, { maxLength: 5 }), cuts, (requests, at) => {
      const frames = framesOf(Buffer.concat(encodeRequests(requests)), at);
      assert.is(frames.length, 1);
      const whole = requests.map((one) => ({
        ...one,
        bytes: new Uint8Array(Buffer.concat(one.bytes instanceof Uint8Array ? [one.bytes] : one.bytes)),
      }));
      assert.equal(
        decodeRequests(frames[0]).map((one) => ({ ...one, bytes: new Uint8Array(one.bytes) })),
        whole,
      );
    }),
  );
});

test('outcomes arrive as they were sent, one frame after the other', () => {
  const found = fc.record(
    {
      width: fc.nat(),
      height: fc.nat(),
      detections: fc.array(
        fc.record({ box: fc.tuple(number, number, number, number), classIndex: fc.nat(), score: number }, plain),
      ),
      drawn: bytes,
    },
    { requiredKeys: ['width', 'height', 'detections'], ...plain },
  );
  const refused = fc.record(
    {
      refused: fc.record({ code: fc.string(), message: fc.string() }, plain),
    },
    plain,
  );
  const times = fc.record({ decode: number, letterbox: number, inference: number, post: number }, plain);
  const batch = fc.record({ outcomes: fc.array(fc.oneof(found, refused), { maxLength: 4 }), times }, plain);
  fc.assert(
    fc.property(batch, batch, cuts, (first, second, at) => {
      for (const one of [first, second] as BatchResult[]) {
        const frames = framesOf(Buffer.concat(encodeResult(one)), at);
        assert.is(frames.length, 1);
        const { outcomes, ...rest } = decodeResult(frames[0]);
        const plain = outcomes.map((outcome) =>
          'drawn' in outcome ? { ...outcome, drawn: new Uint8Array(outcome.drawn as Uint8Array) } : outcome,
        );
        assert.equal({ outcomes: plain, ...rest }, one);
      }
    }),
  );
});

test('a reader is ready for the next frame after each', () => {
  const reader = new FrameReader();
  for (const message of ['one', 'two', '']) {
    const frame = reader.add(Buffer.concat(encodeFailure(message)));
    assert.ok(frame);
    assert.throws(
      () => decodeResult(frame),
      (error: unknown) => error instanceof BatchFailed && error.message === message,
    );
  }
});

test.run();
