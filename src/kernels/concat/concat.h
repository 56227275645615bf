// Tensors side by side along their last dimension, and apart again.
#pragma once

#include "native/host_device.h"

namespace yolox {

constexpr int kMaxParts = 4;

// `rows` is the product of all dimensions but the last. Parts beyond those used have no channels.
template <typename Value>
struct Parts {
  int64_t channels[kMaxParts];
  Value* values[kMaxParts];
};

}  // namespace yolox

#if !defined(__CUDACC_RTC__)
#include "native/launcher.h"
#include "native/parallel.h"

namespace yolox {

// whole [rows, Σ channels] from parts [rows, channels].
void concat_cpu(const ParallelFor& parallel_for, int64_t rows, const Parts<const float>& parts, float* whole);
void concat_cuda(Launcher& launch, int64_t rows, const Parts<const float>& parts, float* whole);

// The inverse.
void concat_grad_cpu(const ParallelFor& parallel_for, int64_t rows, const float* whole, const Parts<float>& parts);
void concat_grad_cuda(Launcher& launch, int64_t rows, const float* whole, const Parts<float>& parts);

}  // namespace yolox
#endif
