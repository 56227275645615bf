/** YOLOX's training loss and its gradient with respect to the raw head outputs. */
export { type Losses, type YoloxLossOptions, yoloxLoss } from './reference.js';
