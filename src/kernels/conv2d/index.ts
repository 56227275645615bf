/** Convolutions of the network, forward and both gradients, NHWC. On TensorFlow's own kernels. */
export { type Conv2dOptions, conv2d, conv2dFilterGrad, conv2dInputGrad } from './reference.js';
