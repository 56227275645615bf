/** Strides of the three prediction levels, in pixels; the input's sides are multiples of the largest. */
export const STRIDES = [8, 16, 32] as const;

/** Windows of the spatial pyramid pooling (Megvii yolox/models/network_blocks.py, SPPBottleneck). */
export const SPP_KERNELS = [5, 9, 13] as const;

/** Batch norm's ε (Megvii yolox/exp/yolox_base.py, init_yolo). */
export const BATCH_NORM_EPSILON = 1e-3;
