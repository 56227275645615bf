// Sends every convolution to the fastest implementation.
#include <algorithm>

#include "batch_norm_silu/batch_norm_silu.h"
#include "conv2d/conv2d.h"
#include "conv2d/onednn.h"
#include "conv2d/winograd.h"

namespace yolox {
namespace {

WinogradShape winograd_shape(const Conv2dShape& s) {
  return {s.batch, s.height, s.width, s.in_channels, s.out_channels};
}

bool by_winograd(const Conv2dShape& s, ConvDirection direction) {
  return s.kernel == 3 && s.stride == 1 && !s.depthwise && winograd_pays(winograd_shape(s), direction);
}

float* winograd_scratch(const Workspace& space, const Conv2dShape& s, ConvDirection direction) {
  return space.scratch(winograd_scratch(winograd_shape(s), direction, space.workers));
}

}  // namespace

void conv2d_forward_cpu(const Workspace& space, const Conv2dShape& shape, const float* x, const float* filter,
                        const float* bias, float* y) {
  if (bias || !by_winograd(shape, ConvDirection::kForward)) return onednn_forward(space, shape, x, filter, bias, y);
  winograd_forward(space.parallel, space.workers, winograd_shape(shape), x, filter, y,
                   winograd_scratch(space, shape, ConvDirection::kForward));
}

void conv2d_scale_shift_silu_cpu(const Workspace& space, const Conv2dShape& shape, const float* x, const float* filter,
                                 const float* scale, const float* shift, float* y) {
  const int64_t out = shape.out_channels;
  if (by_winograd(shape, ConvDirection::kForward)) {
    conv2d_forward_cpu(space, shape, x, filter, nullptr, y);
    const int64_t rows = shape.batch * shape.out_height() * shape.out_width(), block = batch_norm_block_rows(out);
    space.parallel((rows + block - 1) / block, [&](int64_t begin, int64_t end) {
      float* first = y + begin * block * out;
      scale_shift_silu_rows(first, first, std::min(rows, end * block) - begin * block, out, scale, shift);
    });
    return;
  }
  const int64_t size = shape.filter_size();
  float* scaled = space.scratch(size);
  for (int64_t row = 0; row < size; row += out) {
    for (int64_t o = 0; o < out; ++o) scaled[row + o] = filter[row + o] * scale[o];
  }
  onednn_forward_silu(space, shape, x, scaled, shift, y);
}

void conv2d_input_grad_cpu(const Workspace& space, const Conv2dShape& shape, const float* dy, const float* filter,
                           float* dx) {
  if (!by_winograd(shape, ConvDirection::kInputGrad)) return onednn_input_grad(space, shape, dy, filter, dx);
  winograd_input_grad(space.parallel, space.workers, winograd_shape(shape), dy, filter, dx,
                      winograd_scratch(space, shape, ConvDirection::kInputGrad));
}

void conv2d_filter_grad_cpu(const Workspace& space, const Conv2dShape& shape, const float* x, const float* dy,
                            float* dfilter, float* dbias) {
  if (dbias || !by_winograd(shape, ConvDirection::kFilterGrad)) {
    return onednn_filter_grad(space, shape, x, dy, dfilter, dbias);
  }
  winograd_filter_grad(space.parallel, winograd_shape(shape), x, dy, dfilter,
                       winograd_scratch(space, shape, ConvDirection::kFilterGrad));
}

}  // namespace yolox
