import { SPP_KERNELS } from '../src/config/network.js';
import * as own from '../src/kernels/conv2d/index.js';
import * as composed from '../src/kernels/conv2d/reference.js';
import { type Tensor, tf } from '../src/kernels/tf.js';
import { type ConvShape, type Layers, yolox } from '../src/model/network.js';
import { type BenchResult, paired } from './paired.js';
import { architecture, BATCH, SIDE } from './step_case.js';

interface Case {
  x: Tensor;
  filter: Tensor;
  dy: Tensor;
  options: own.Conv2dOptions;
  isFirst: boolean;
}

/** All convolutions of a YOLOX-S training step, one after the other, on TensorFlow's kernels and on ours. */
export default async function conv2d(): Promise<{ results: BenchResult[] }> {
  const shapes = convolutions([BATCH, SIDE, SIDE, 3]);
  const passes = {
    forward: (ops: typeof composed) => (c: Case) => [ops.conv2d(c.x, c.filter, c.options)],
    'input gradient': (ops: typeof composed) => (c: Case) =>
      c.isFirst ? [] : [ops.conv2dInputGrad(c.x.shape, c.filter, c.dy, c.options)],
    'filter gradient': (ops: typeof composed) => (c: Case) => [
      ops.conv2dFilterGrad(c.x, c.filter, c.dy, c.options).dfilter,
    ],
  };
  const cases = shapes.map(makeCase);
  const run = (of: (c: Case) => Tensor[]) => () => {
    for (const c of cases) tf.dispose(of(c));
  };
  const every = (ops: typeof composed) => (c: Case) => Object.values(passes).flatMap((pass) => pass(ops)(c));
  const results: BenchResult[] = [];
  for (const [name, pass] of [...Object.entries(passes), ['all', every] as const]) {
    results.push(
      await paired({
        name: `${cases.length} convolutions of YOLOX-S ${SIDE}² batch ${BATCH}, ${name}`,
        ours: run(pass(own)),
        peer: run(pass(composed)),
        peerName: "TensorFlow's",
        rounds: 6,
        warmUp: 2,
      }),
    );
  }
  return { results };
}

interface Shape {
  x: number[];
  conv: ConvShape;
}

/** Reads the network as the list of its convolutions. */
function convolutions(input: number[]): Shape[] {
  const found: Shape[] = [];
  const convolve = ([n, h, w]: number[], conv: ConvShape): number[] => {
    found.push({ x: [n, h, w, conv.in], conv });
    const stride = conv.stride ?? 1;
    return [n, Math.ceil(h / stride), Math.ceil(w / stride), conv.out];
  };
  const layers: Layers<number[]> = {
    focus: ([n, h, w, c]) => [n, h / 2, w / 2, 4 * c],
    convBnSilu: (x, _, conv) => convolve(x, conv),
    conv: (x, _, conv) => convolve(x, conv),
    concat: (xs) => [...xs[0].slice(0, 3), xs.reduce((sum, x) => sum + x[3], 0)],
    add: (a) => a,
    spp: ([n, h, w, c]) => [n, h, w, (1 + SPP_KERNELS.length) * c],
    upsampleConcat: ([, , , c], [n, h, w, beside]) => [n, h, w, c + beside],
  };
  yolox(layers, input, architecture);
  return found;
}

function makeCase({ x: shape, conv }: Shape, index: number): Case {
  const options = { stride: conv.stride ?? 1, depthwise: false };
  const x = tf.randomNormal(shape, 0, 1, 'float32', index);
  const filter = tf.randomNormal([conv.kernel, conv.kernel, conv.in, conv.out], 0, 1, 'float32', index);
  return { x, filter, dy: composed.conv2d(x, filter, options), options, isFirst: index === 0 };
}
