// Space to depth as YOLOX's stem has it: the 2×2 cells of an image side by side in the channels, column by column
// (top left, bottom left, top right, bottom right).
#pragma once

#include "native/host_device.h"

namespace yolox {

// Of the image [batch, height, width, channels]; height and width are even.
struct FocusShape {
  int64_t batch, height, width, channels;
};

}  // namespace yolox

#if !defined(__CUDACC_RTC__)
#include "native/launcher.h"
#include "native/parallel.h"

namespace yolox {

// y [batch, height/2, width/2, 4·channels].
void focus_cpu(const ParallelFor& parallel_for, const FocusShape& shape, const float* x, float* y);
void focus_cuda(Launcher& launch, const FocusShape& shape, const float* x, float* y);

}  // namespace yolox
#endif
