// check_tensorflow.cjs [ADDON KERNELS]: computes with TensorFlow and our ops. Run as a program of its own, since a library
// that does not load may end the process. Prints one JSON line.
process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
require('./legacy_util.cjs');
const tf = require('@tensorflow/tfjs-node-gpu');

const close = (values, expected) => values.every((value, i) => Math.abs(value - expected[i]) < 1e-5);

const product = tf.matMul(tf.tensor2d([1, 2, 3, 4], [2, 2]), tf.tensor2d([5, 6, 7, 8], [2, 2]));
const sums = tf.conv2d(tf.ones([1, 3, 3, 1]), tf.ones([2, 2, 1, 1]), 1, 'valid');
if (!close(product.dataSync(), [19, 22, 43, 50]) || !close(sums.dataSync(), [4, 4, 4, 4])) {
  throw new Error(`wrong results: ${product.dataSync()} and ${sums.dataSync()}`);
}
const backend = tf.backend();
const [addon, kernels] = process.argv.slice(2);
const ops = addon && loadOps();
const device = backend.isUsingGpuDevice ? 'GPU' : 'CPU';
console.log(JSON.stringify({ version: backend.binding.TF_Version, device, ops }));

/** Runs one of our ops on the device that the network will use; returns the names of all our ops. */
function loadOps() {
  const { listOps, useKernels } = require(addon);
  useKernels(kernels);
  const patches = backend.executeSingleOutput('YoloxFocus', [], [tf.tensor4d([1, 2, 3, 4], [1, 2, 2, 1])]);
  if (!close(patches.dataSync(), [1, 3, 2, 4])) throw new Error(`wrong results of our ops: ${patches.dataSync()}`);
  return listOps();
}
