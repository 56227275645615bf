import { Random } from '../src/base/random.js';
import { preprocessSchema } from '../src/config/preprocess.js';
import { letterbox } from '../src/image/letterbox.js';
import { type BenchResult, paired } from './paired.js';
import { flags, startPythonPeer } from './peers/torch_peer.js';

const IMAGES = 50;

/** From a decoded image of 640x480 to the input of YOLOX, one thread. Peer: OpenCV and numpy. */
export default async function letterboxBench(): Promise<{ results: BenchResult[] }> {
  const random = new Random('letterbox');
  const data = Uint8Array.from({ length: 640 * 480 * 3 }, () => random.int(0, 255));
  const image = { width: 640, height: 480, data };
  const results: BenchResult[] = [];
  for (const size of [416, 640]) {
    const preprocess = preprocessSchema.parse({ size: [size, size] });
    const out = new Float32Array(3 * size * size);
    const ours = () => {
      for (let i = 0; i < IMAGES; i++) letterbox(image, preprocess, 'nchw', out);
    };
    const peer = await startPythonPeer('letterbox_opencv.py', flags({ size, images: IMAGES }));
    if (!peer) continue;
    const name = `letterbox ${size}², ${IMAGES} images`;
    results.push(await paired({ name, ours, peer: peer.step, peerName: peer.name, rounds: 20 }));
    peer.stop();
  }
  return { results };
}
