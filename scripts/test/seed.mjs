import fc from 'fast-check';

/** One seed for all properties, so that a run can be repeated; another one explores other cases. */
fc.configureGlobal({ seed: Number(process.env.YOLOX_PROPERTY_SEED ?? 1) });
