// Convolutions of the network on the CPU, NHWC, float32: those of 3×3 and stride 1 between wide layers through
// Winograd's transform (winograd.h), the others on oneDNN.
#pragma once

#include <cstdint>
#include <functional>

#include "native/parallel.h"

namespace yolox {

// Padding is (kernel − 1) / 2 on every side. Filters are [kernel, kernel, in, out], depthwise ones
// [kernel, kernel, channels, 1].
struct Conv2dShape {
  int64_t batch, height, width, in_channels;
  int64_t kernel, out_channels, stride;
  bool depthwise;

  int64_t padding() const { return (kernel - 1) / 2; }
  int64_t out_height() const { return (height + 2 * padding() - kernel + stride) / stride; }
  int64_t out_width() const { return (width + 2 * padding() - kernel + stride) / stride; }
  int64_t filter_size() const { return kernel * kernel * in_channels * (depthwise ? 1 : out_channels); }
};

// What a call may use besides its arguments.
struct Workspace {
  const ParallelFor& parallel;
  // Threads behind `parallel`.
  int64_t workers;
  // Memory for the time of the call, 64-byte aligned; throws std::bad_alloc when there is none left.
  std::function<float*(int64_t floats)> scratch;
};

// y [N,H',W',O] = x [N,H,W,I] * filter + bias [O]; `bias` may be null.
void conv2d_forward_cpu(const Workspace& space, const Conv2dShape& shape, const float* x, const float* filter,
                        const float* bias, float* y);

// y = SiLU(scale · (x * filter) + shift), scale and shift [O]: convolution, batch norm with stored statistics and
// activation.
void conv2d_scale_shift_silu_cpu(const Workspace& space, const Conv2dShape& shape, const float* x, const float* filter,
                                 const float* scale, const float* shift, float* y);

// dx [N,H,W,I] from dy [N,H',W',O].
void conv2d_input_grad_cpu(const Workspace& space, const Conv2dShape& shape, const float* dy, const float* filter,
                           float* dx);

// dfilter, like filter, and dbias [O] unless null, from x and dy.
void conv2d_filter_grad_cpu(const Workspace& space, const Conv2dShape& shape, const float* x, const float* dy,
                            float* dfilter, float* dbias);

}  // namespace yolox
