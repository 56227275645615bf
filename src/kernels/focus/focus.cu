// Focus: a thread writes one value; neighbouring threads write neighbours.
#include "focus/focus.h"

// A block's y covers the values of one row of the result.
extern "C" __global__ void focus(yolox::FocusShape shape, const float* x, float* y) {
  const int64_t row = shape.width * shape.channels;
  const int64_t i = static_cast<int64_t>(blockIdx.y) * blockDim.x + threadIdx.x;
  if (i >= 2 * row) return;
  const int64_t pixel = i / shape.channels;
  const int64_t source = (2 * static_cast<int64_t>(blockIdx.x) + pixel % 2) * row + pixel / 2 * shape.channels;
  y[2 * blockIdx.x * row + i] = x[source + i % shape.channels];
}
