// YOLOX's way up the pyramid: a coarse tensor at twice its height and width (nearest neighbour) beside a fine one.
#pragma once

#include "native/host_device.h"

namespace yolox {

// coarse [batch, height, width, coarse_channels], fine [batch, 2·height, 2·width, fine_channels].
struct UpsampleShape {
  int64_t batch, height, width, coarse_channels, fine_channels;
};

// The order is that of summing rows, then columns.
YOLOX_HOST_DEVICE inline float sum_of_cell(float top_left, float top_right, float bottom_left, float bottom_right) {
  return (top_left + bottom_left) + (top_right + bottom_right);
}

}  // namespace yolox

#if !defined(__CUDACC_RTC__)
#include "native/launcher.h"
#include "native/parallel.h"

namespace yolox {

// y [batch, 2·height, 2·width, coarse_channels + fine_channels].
void upsample_concat_cpu(const ParallelFor& parallel_for, const UpsampleShape& shape, const float* coarse,
                         const float* fine, float* y);
void upsample_concat_cuda(Launcher& launch, const UpsampleShape& shape, const float* coarse, const float* fine,
                          float* y);

// Gradients like coarse and fine.
void upsample_concat_grad_cpu(const ParallelFor& parallel_for, const UpsampleShape& shape, const float* dy,
                              float* dcoarse, float* dfine);
void upsample_concat_grad_cuda(Launcher& launch, const UpsampleShape& shape, const float* dy, float* dcoarse,
                               float* dfine);

}  // namespace yolox
#endif
