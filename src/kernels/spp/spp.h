// Spatial pyramid pooling of YOLOX: x beside its maxima over 5×5, 9×9 and 13×13, stride 1, same size.
// Each pool is the one before it, pooled again over 5×5.
#pragma once

#include "native/host_device.h"

namespace yolox {

constexpr int kPools = 3;
// Of the 5×5; the pool of index i has radius (i + 1)·kPoolRadius.
constexpr int kPoolRadius = 2;

struct PoolShape {
  int64_t batch, height, width, channels;
};

// A position, row·width + column, travels as a float; this many are exact.
constexpr int64_t kMaxPositions = 1 << 24;

// Whether a value goes before the best so far: the greater, NaN being greatest; among equals the first in row-major
// order, whatever the order of asking.
YOLOX_HOST_DEVICE inline bool goes_before(float value, float position, float best, float best_position) {
  const bool nan = value != value, best_nan = best != best;
  const bool greater = (value > best) | (nan & !best_nan);
  const bool equal = (value == best) | (nan & best_nan);
  return greater | (equal & (position < best_position));
}

}  // namespace yolox

#if !defined(__CUDACC_RTC__)
#include "native/launcher.h"
#include "native/parallel.h"

namespace yolox {

// x [batch, height, width, channels]; y [batch, height, width, (1 + kPools)·channels]: x, then the pools;
// source [batch, height, width, kPools·channels]: the position each maximum comes from.
void spp_cpu(const ParallelFor& parallel_for, const PoolShape& shape, const float* x, float* y, float* source);
void spp_cuda(Launcher& launch, const PoolShape& shape, const float* x, float* y, float* source);

// dx like x from dy like y.
void spp_grad_cpu(const ParallelFor& parallel_for, const PoolShape& shape, const float* dy, const float* source,
                       float* dx);
void spp_grad_cuda(Launcher& launch, const PoolShape& shape, const float* dy, const float* source, float* dx);

}  // namespace yolox
#endif
