// Upsample and concat on the CPU: a task is two rows of the fine grid, which one row of the coarse one covers.
#include <algorithm>

#include "upsample_concat/upsample_concat.h"

namespace yolox {
namespace {

void sum_cells(const UpsampleShape& shape, const float* __restrict top, const float* __restrict bottom,
               float* __restrict dcoarse) {
  const int64_t channels = shape.coarse_channels, stride = channels + shape.fine_channels;
  for (int64_t x = 0; x < shape.width; ++x) {
    const int64_t left = 2 * x * stride, right = left + stride;
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) {
      dcoarse[x * channels + c] = sum_of_cell(top[left + c], top[right + c], bottom[left + c], bottom[right + c]);
    }
  }
}

}  // namespace

void upsample_concat_cpu(const ParallelFor& parallel_for, const UpsampleShape& shape, const float* coarse,
                         const float* fine, float* y) {
  const int64_t channels = shape.coarse_channels, beside = shape.fine_channels;
  parallel_for(shape.batch * shape.height, [&](int64_t begin, int64_t end) {
    for (int64_t row = 2 * begin; row < 2 * end; ++row) {
      for (int64_t x = 0; x < 2 * shape.width; ++x) {
        const int64_t pixel = row * 2 * shape.width + x, cell = row / 2 * shape.width + x / 2;
        float* to = y + pixel * (channels + beside);
        std::copy_n(coarse + cell * channels, channels, to);
        std::copy_n(fine + pixel * beside, beside, to + channels);
      }
    }
  });
}

void upsample_concat_grad_cpu(const ParallelFor& parallel_for, const UpsampleShape& shape, const float* dy,
                              float* dcoarse, float* dfine) {
  const int64_t channels = shape.coarse_channels, beside = shape.fine_channels, stride = channels + beside;
  parallel_for(shape.batch * shape.height, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t top = 2 * row * 2 * shape.width, bottom = top + 2 * shape.width;
      sum_cells(shape, dy + top * stride, dy + bottom * stride, dcoarse + row * shape.width * channels);
      for (int64_t pixel = top; pixel < bottom + 2 * shape.width; ++pixel) {
        std::copy_n(dy + pixel * stride + channels, beside, dfine + pixel * beside);
      }
    }
  });
}

}  // namespace yolox
