import { Random } from '../src/base/random.js';
import { preprocessSchema } from '../src/config/preprocess.js';
import { configSchema } from '../src/config/schema.js';
import { mosaicWarp } from '../src/kernels/mosaic_warp/index.js';
import { packBatch } from '../src/kernels/mosaic_warp/pack.js';
import * as reference from '../src/kernels/mosaic_warp/reference.js';
import type { Pixels } from '../src/kernels/mosaic_warp/warp_plan.js';
import { type Example, strongExample } from '../src/pipeline/training/augment.js';
import { type BenchResult, paired } from './paired.js';
import { flags, startPythonPeer } from './peers/torch_peer.js';

const CASE = { size: 640, batch: 8 };
const NAME = `MosaicWarp ${CASE.size}² batch ${CASE.batch}, from decoded 640x480 images`;
const IMAGES = 16;
const PROCESSES = 2;

/** Mosaic, affine, mixup, flip and colours of a batch. Peers: the same in plain JavaScript; OpenCV and numpy. */
export default async function mosaicWarpBench(): Promise<{ results: BenchResult[] }> {
  const [examples, images] = randomImages();
  const { augment } = configSchema.parse({}).train;
  const preprocess = preprocessSchema.parse({ size: [CASE.size, CASE.size] });
  const random = new Random('mosaic-warp');
  const item = () => {
    const drawn = strongExample(random.pick(examples), () => random.pick(examples), preprocess.size, augment, random);
    return { plan: drawn.plan, images: drawn.paths.map((path) => images[Number(path)]) };
  };
  const work = (warp: typeof mosaicWarp) => () =>
    warp(packBatch(Array.from({ length: CASE.batch }, item)), preprocess).dispose();
  const ours = work(mosaicWarp);
  const plain = { peer: work(reference.mosaicWarp), peerName: 'plain JavaScript' };
  const results = [await paired({ name: NAME, ours, ...plain, rounds: 3, warmUp: 1 })];
  const peer = await startPythonPeer('mosaic_numpy.py', flags({ ...CASE, processes: PROCESSES }));
  if (peer) {
    results.push(await paired({ name: NAME, ours, peer: peer.step, peerName: peer.name, rounds: 20 }));
    peer.stop();
  }
  return { results };
}

function randomImages(): [Example[], Pixels[]] {
  const random = new Random('images');
  const [width, height] = [640, 480];
  const images = Array.from({ length: IMAGES }, () => {
    const words = Uint32Array.from({ length: (width * height * 3) / 4 }, () => random.int(0, 2 ** 32 - 1));
    return { width, height, data: new Uint8Array(words.buffer) };
  });
  // A partner without objects would not be mixed in.
  const examples = images.map((_, i): Example => {
    return { name: `${i}`, path: String(i), width, height, objects: [{ classIndex: 0, bbox: [100, 100, 300, 200] }] };
  });
  return [examples, images];
}
