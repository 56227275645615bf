import * as ort from 'onnxruntime-node';
import { anchorGrid } from '../src/config/network.js';
import { type DecodeNmsOptions, decodeNms } from '../src/kernels/decode_nms/index.js';
import * as reference from '../src/kernels/decode_nms/reference.js';
import { type Tensor, tf } from '../src/kernels/tf.js';
import { GraphBuilder } from '../src/model/onnx/graph.js';
import { DATA_TYPE, encodeModel } from '../src/model/onnx/schema.js';
import { type BenchResult, paired } from './paired.js';

const SIDE = 640;
const CLASSES = 80;
const anchors = anchorGrid(SIDE, SIDE);
const options: DecodeNmsOptions = { confidence: 0.01, iou: 0.65, maxDetections: 300, agnostic: false };

/**
 * Detections of one image from raw head outputs. Peers: the same composed of TensorFlow's ops, and onnxruntime's
 * NonMaxSuppression, which is given decoded boxes and the score of each one's best class, and so has less to do.
 */
export default async function decodeNmsBench(): Promise<{ results: BenchResult[] }> {
  const results: BenchResult[] = [];
  for (const [crowd, objectness] of [
    ['a few hundred candidates', -8],
    ['thousands of candidates', -3],
  ] as const) {
    const raw = randomHead(objectness);
    const name = `640², ${CLASSES} classes, ${crowd}`;
    const ours = () => decodeNms(raw, anchors, options);
    const composed = () => reference.decodeNms(raw, anchors, options);
    results.push(await paired({ name, peerName: 'composed', ours, peer: composed }));
    const peer = await onnxNms(raw);
    results.push(await paired({ name, peerName: "onnxruntime's NonMaxSuppression", ours, peer, rounds: 20 }));
    raw.dispose();
  }
  return { results };
}

/** Logits [1,A,5+C]; the higher those of objectness, the more candidates. */
function randomHead(objectness: number): Tensor {
  return tf.tidy(() =>
    tf.concat(
      [
        tf.randomNormal([1, anchors.count, 4], 0, 1, 'float32', 1),
        tf.randomNormal([1, anchors.count, 1], objectness, 2, 'float32', 2),
        tf.randomNormal([1, anchors.count, CLASSES], -2, 1.5, 'float32', 3),
      ],
      2,
    ),
  );
}

async function onnxNms(raw: Tensor): Promise<() => Promise<unknown>> {
  const [boxes, scores] = tf.tidy(() => {
    const [xy, wh, objectness, classes] = tf.split(reference.activate(raw, anchors), [2, 2, 1, CLASSES], 2);
    const best = classes.equal(classes.max(2, true)).cast('float32');
    const corners = tf.concat([xy.sub(wh.div(2)), xy.add(wh.div(2))], 2);
    return [corners, classes.mul(objectness).mul(best).transpose([0, 2, 1])];
  });
  const feeds = Object.fromEntries(
    Object.entries({ boxes, scores }).map(([name, tensor]) => [
      name,
      new ort.Tensor('float32', tensor.dataSync() as Float32Array, tensor.shape),
    ]),
  );
  tf.dispose([boxes, scores]);
  const session = await ort.InferenceSession.create(nmsModel(), { intraOpNumThreads: 2 });
  return () => session.run(feeds);
}

/** A model of one node. */
function nmsModel(): Uint8Array {
  const graph = new GraphBuilder();
  const limits = [
    graph.integers('most', [options.maxDetections]),
    graph.floats('iou', [1], Float32Array.of(options.iou)),
    graph.floats('score', [1], Float32Array.of(options.confidence)),
  ];
  graph.op('NonMaxSuppression', 'selected', ['boxes', 'scores', ...limits]);
  const value = (name: string, elemType: number, dims: (number | string)[]) => ({
    name,
    type: {
      tensorType: {
        elemType,
        shape: { dim: dims.map((side) => (typeof side === 'string' ? { dimParam: side } : { dimValue: side })) },
      },
    },
  });
  return encodeModel({
    irVersion: 8,
    producerName: 'yolox-node',
    opsetImport: [{ domain: '', version: 17 }],
    graph: {
      name: 'nms',
      node: graph.nodes,
      initializer: graph.constants,
      input: [
        value('boxes', DATA_TYPE.float, [1, anchors.count, 4]),
        value('scores', DATA_TYPE.float, [1, CLASSES, anchors.count]),
      ],
      output: [value('selected', DATA_TYPE.int64, ['found', 3])],
    },
    metadataProps: [],
  });
}
