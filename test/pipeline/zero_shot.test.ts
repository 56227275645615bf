import * as assert from 'uvu/assert';
import { preprocessSchema } from '../../src/config/preprocess.js';
import { readCoco } from '../../src/data/sources/coco.js';
import { COCO_CLASSES } from '../../src/detect/categories.js';
import { OnnxDetector } from '../../src/detect/onnx_detector.js';
import { TfDetector } from '../../src/model/tf_detector.js';
import { evaluateDetector } from '../../src/pipeline/evaluation/evaluate.js';
import { shared, suiteNeeding } from '../support/shared.js';

const weights = shared('weights/yolox_nano.onnx');
const images = shared('coco/images');
const annotations = shared('coco/instances.json');
const test = suiteNeeding('zero-shot on COCO images', [weights, images, annotations]);

test('imported weights on TensorFlow and the same file on onnxruntime agree within 0.005 AP', async () => {
  const { dataset, pathOf } = await readCoco(images, annotations);
  const thresholds = { confidence: 0.01, iou: 0.65, maxDetections: 100, agnostic: false };
  const categories = [...COCO_CLASSES];

  const tensorflow = await TfDetector.open(weights);
  const ours = await evaluateDetector((image) => tensorflow.detect(image, thresholds), dataset, pathOf, {
    fit: tensorflow.size,
    categories,
  });
  await tensorflow.close();

  const preprocess = preprocessSchema.parse({ size: [416, 416] });
  const onnx = await OnnxDetector.fromFile(weights, {
    preprocess,
    thresholds,
    categories: COCO_CLASSES,
    decoded: false,
  });
  const theirs = await evaluateDetector((image) => onnx.detect(image), dataset, pathOf, {
    fit: preprocess.size,
    categories,
  });
  await onnx.close();

  const [ap, reference] = [ours, theirs].map(({ evaluation }) => Number(evaluation.stats[0]));
  console.log(`AP ${ap.toFixed(4)} on TensorFlow, ${reference.toFixed(4)} on onnxruntime`);
  assert.ok(reference > 0.25, `AP ${reference} is not that of these weights`);
  assert.ok(Math.abs(ap - reference) <= 0.005);
});

test.run();
