import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { postprocess } from '../../src/detect/nms.js';
import { type Answer, buildAnswer } from '../../src/serve/http/answer.js';

interface Settings {
  conf: number;
  iou: number;
  max: number;
  classes: number[];
}

const page = new URL('../../web/settings.js', import.meta.url).href;
const { covers, narrow, toAsk } = (await import(page)) as {
  covers(asked: Settings, wanted: Settings): boolean;
  narrow(answer: Answer, wanted: Settings): Answer;
  toAsk(wanted: Settings): Settings;
};

const test = suite('page settings');
const ANCHORS = 40;
const CLASSES = 3;
const categories = Array.from({ length: CLASSES }, (_, index) => ({ id: index + 1, name: `class ${index}` }));

const unit = fc.float({ min: 0, max: 1, noNaN: true });
const anchor = fc
  .tuple(fc.tuple(unit, unit), fc.tuple(unit, unit), fc.array(unit, { minLength: 1 + CLASSES, maxLength: 1 + CLASSES }))
  .map(([centre, size, scores]) => [...centre.map((v) => 60 * v), ...size.map((v) => 5 + 40 * v), ...scores]);
const network = fc
  .array(anchor, { minLength: ANCHORS, maxLength: ANCHORS })
  .map((anchors) => Float32Array.from(anchors.flat()));
const settings = fc.record({
  conf: fc.double({ min: 0, max: 1, noNaN: true }),
  iou: fc.double({ min: 0, max: 1, noNaN: true }),
  max: fc.integer({ min: 1, max: 2 * ANCHORS }),
  classes: fc.subarray([1, 2, 3]),
});

/** What the service answers to these settings. */
function answerOf(output: Float32Array, { conf, iou, max, classes }: Settings): Answer {
  const only = classes.length > 0 ? classes.map((id) => id - 1) : undefined;
  const thresholds = { confidence: conf, iou, maxDetections: max, agnostic: false, classes: only };
  const found = postprocess(output, { anchors: ANCHORS, classCount: CLASSES }, thresholds);
  return buildAnswer({ file_name: '', height: 100, width: 100, image_id: 0 }, found, categories);
}

test('an answer narrowed to what it covers is the service’s answer to that', () => {
  fc.assert(
    fc.property(network, settings, fc.option(fc.nat()), (output, wanted, pick) => {
      const all = answerOf(output, { ...wanted, conf: 0 }).annotations;
      // Right at an object's score as well.
      const conf = pick === null || all.length === 0 ? wanted.conf : all[pick % all.length].score;
      const exact = { ...wanted, conf };
      const asked = toAsk(exact);
      assert.ok(covers(asked, exact));
      assert.equal(narrow(answerOf(output, asked), exact), answerOf(output, exact));
    }),
  );
});

test('an answer covers no lower confidence, and no other overlap, number or classes', () => {
  fc.assert(
    fc.property(settings, settings, (asked, other) => {
      assert.is(covers(asked, { ...asked, conf: other.conf }), asked.conf <= other.conf);
      for (const name of ['iou', 'max', 'classes'] as const) {
        const differs = String(asked[name]) !== String(other[name]);
        assert.is(covers(asked, { ...asked, [name]: other[name] }), !differs);
      }
    }),
  );
});

test.run();
