/** SimOTA label assignment (Ge et al. 2021, section 2.1): which anchor learns which object. */
export { type Assignment, ASSIGNERS, type AssignerName, simOtaAssign } from './reference.js';
