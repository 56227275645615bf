import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bestPoint, operatingPoints } from '../../../src/data/coco_eval/confidence.js';
import { matchDetections } from '../../../src/data/coco_eval/match.js';
import { problems } from './arbitrary.js';

const test = suite('operating points');

test('a point is what the detections above its confidence give', () => {
  fc.assert(
    fc.property(problems, ([dataset, detections]) => {
      for (const { confidence, precision, recall, f1 } of operatingPoints(matchDetections(dataset, detections))) {
        const kept = detections.filter(({ score }) => score >= confidence);
        const [alone] = operatingPoints(matchDetections(dataset, kept));
        assert.equal({ precision, recall, f1 }, { precision: alone.precision, recall: alone.recall, f1: alone.f1 });
        const harmonic = precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall);
        assert.ok(Math.abs(f1 - harmonic) < 1e-12);
      }
    }),
  );
});

test('the best point has the highest F1', () => {
  const points = [0.2, 0.7, 0.7, 0.1].map((f1, i) => ({ confidence: i / 10, precision: f1, recall: f1, f1 }));
  assert.is(bestPoint(points)?.confidence, 0.1);
  assert.is(bestPoint([]), undefined);
});

test('nothing to find or nothing found gives no points', () => {
  const images = [{ id: 1, file_name: '1.jpg', width: 9, height: 9 }];
  const categories = [{ id: 1, name: 'a' }];
  const annotation = {
    id: 1,
    image_id: 1,
    category_id: 1,
    bbox: [0, 0, 9, 9] as [number, number, number, number],
    area: 81,
    iscrowd: 0 as const,
  };
  assert.equal(operatingPoints(matchDetections({ images, categories, annotations: [annotation] }, [])), []);
  const found = { ...annotation, score: 1 };
  assert.equal(operatingPoints(matchDetections({ images, categories, annotations: [] }, [found])), []);
});

test.run();
