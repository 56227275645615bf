// Concat and split on the CPU.
#include <algorithm>

#include "concat/concat.h"

namespace yolox {
namespace {

// Floats a task moves: enough to be worth handing out, few enough to even out.
constexpr int64_t kTask = 1 << 15;

template <typename Value>
int64_t channels_of(const Parts<Value>& parts) {
  int64_t all = 0;
  for (int64_t channels : parts.channels) all += channels;
  return all;
}

void copy_columns(int64_t rows, int64_t count, const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  for (int64_t row = 0; row < rows; ++row) {
    std::copy_n(from + row * from_stride, count, to + row * to_stride);
  }
}

// Calls body(part, first row, rows, first channel of the part in the whole) for every part, a few rows at a time.
template <typename Value, typename Body>
void for_each_part(const ParallelFor& parallel_for, int64_t rows, const Parts<Value>& parts, const Body& body) {
  const int64_t step = std::max<int64_t>(1, kTask / std::max<int64_t>(1, channels_of(parts)));
  parallel_for((rows + step - 1) / step, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * step, count = std::min(rows, end * step) - first;
    int64_t offset = 0;
    for (int part = 0; part < kMaxParts; ++part) {
      body(part, first, count, offset);
      offset += parts.channels[part];
    }
  });
}

}  // namespace

void concat_cpu(const ParallelFor& parallel_for, int64_t rows, const Parts<const float>& parts, float* whole) {
  const int64_t width = channels_of(parts);
  for_each_part(parallel_for, rows, parts, [&](int part, int64_t first, int64_t count, int64_t offset) {
    const int64_t channels = parts.channels[part];
    copy_columns(count, channels, parts.values[part] + first * channels, channels, whole + first * width + offset,
                 width);
  });
}

void concat_grad_cpu(const ParallelFor& parallel_for, int64_t rows, const float* whole, const Parts<float>& parts) {
  const int64_t width = channels_of(parts);
  for_each_part(parallel_for, rows, parts, [&](int part, int64_t first, int64_t count, int64_t offset) {
    const int64_t channels = parts.channels[part];
    copy_columns(count, channels, whole + first * width + offset, width, parts.values[part] + first * channels,
                 channels);
  });
}

}  // namespace yolox
