// check_tensorflow.cjs [ADDON]: computes with TensorFlow and loads our ops. Run as a program of its own, since a library
// that does not load may end the process. Prints one JSON line.
process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
const tf = require('@tensorflow/tfjs-node-gpu');

const close = (values, expected) => values.every((value, i) => Math.abs(value - expected[i]) < 1e-5);

const product = tf.matMul(tf.tensor2d([1, 2, 3, 4], [2, 2]), tf.tensor2d([5, 6, 7, 8], [2, 2]));
const sums = tf.conv2d(tf.ones([1, 3, 3, 1]), tf.ones([2, 2, 1, 1]), 1, 'valid');
if (!close(product.dataSync(), [19, 22, 43, 50]) || !close(sums.dataSync(), [4, 4, 4, 4])) {
  throw new Error(`wrong results: ${product.dataSync()} and ${sums.dataSync()}`);
}
const addon = process.argv[2];
const ops = addon && require(addon).listOps();
const backend = tf.backend();
const device = backend.isUsingGpuDevice ? 'GPU' : 'CPU';
console.log(JSON.stringify({ version: backend.binding.TF_Version, device, ops }));
