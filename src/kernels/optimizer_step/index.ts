/** One update of all parameters: SGD with Nesterov momentum or Adam, weight decay, gradient clipping; and the EMA. */
export {
  averageStep,
  flatten,
  initialState,
  type OptimizerOptions,
  type OptimizerState,
  optimizerStep,
  unflatten,
} from './reference.js';
