/** SimOTA label assignment (Ge et al. 2021, section 2.1): which anchor learns which object. */
export { ASSIGNERS, type AssignerName, type Assignment, simOtaAssign } from './reference.js';
