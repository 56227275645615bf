// Focus on the CPU: a row of y is two rows of x, pixel by pixel in turns.
#include "focus/focus.h"

namespace yolox {
namespace {

// `kChannels` 0: as many as `channels` says. Known at compile time, the copy of a pixel needs no loop.
template <int kChannels>
void interleave(int64_t width, int64_t channels, const float* __restrict top, const float* __restrict bottom,
                float* __restrict y) {
  const int64_t count = kChannels ? kChannels : channels;
  for (int64_t x = 0; x < width; ++x) {
    for (int64_t c = 0; c < count; ++c) y[2 * x * count + c] = top[x * count + c];
    for (int64_t c = 0; c < count; ++c) y[(2 * x + 1) * count + c] = bottom[x * count + c];
  }
}

}  // namespace

void focus_cpu(const ParallelFor& parallel_for, const FocusShape& shape, const float* x, float* y) {
  const int64_t row = shape.width * shape.channels;
  const auto copy = shape.channels == 3 ? interleave<3> : interleave<0>;
  parallel_for(shape.batch * shape.height / 2, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      copy(shape.width, shape.channels, x + 2 * i * row, x + (2 * i + 1) * row, y + 2 * i * row);
    }
  });
}

}  // namespace yolox
