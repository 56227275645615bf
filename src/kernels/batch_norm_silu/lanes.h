// Loops over a block of rows that are vector code for any number of channels: several rows of few channels, contiguous
// in memory, are taken as one strip of many lanes, for which every per-channel value is repeated row after row.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace yolox {

constexpr int64_t kMaxLanes = 512;

// One float for each lane of a strip.
struct alignas(64) Lanes {
  float values[kMaxLanes];

  float& operator[](int64_t i) { return values[i]; }
  float operator[](int64_t i) const { return values[i]; }
};

// Rows that make a strip: whole vectors of 8 lanes where kMaxLanes allows.
inline int64_t rows_per_strip(int64_t channels) {
  int64_t rows = 1;
  while (rows * channels % 8 != 0) rows *= 2;
  if (rows * channels > kMaxLanes) return 1;
  return rows * std::max<int64_t>(1, kMaxLanes / 2 / (rows * channels));
}

// Up to kMaxLanes adjacent channels of a block of rows.
struct Column {
  int64_t first, channels, rows_per_strip;

  int64_t lanes() const { return channels * rows_per_strip; }

  // Repeats `values` [all channels] over the lanes.
  void repeat(const float* values, Lanes* lanes) const {
    for (int64_t row = 0; row < rows_per_strip; ++row) {
      std::copy_n(values + first, channels, lanes->values + row * channels);
    }
  }
};

// body(column) for columns that cover all channels.
template <typename Body>
void for_columns(int64_t channels, Body body) {
  const int64_t rows = rows_per_strip(channels);
  for (int64_t first = 0; first < channels; first += kMaxLanes) {
    body(Column{first, std::min(kMaxLanes, channels - first), rows});
  }
}

// body(offset, lanes, strips) over all strips of a column: `strips` of them at once, kStrips or one as a constant,
// each channels · rows_per_strip floats after the one before.
template <int kStrips, typename Body>
void for_strips(int64_t rows, int64_t channels, const Column& column, Body body) {
  const int64_t stride = channels * column.rows_per_strip;
  int64_t offset = column.first, left = rows / column.rows_per_strip;
  for (; left >= kStrips; left -= kStrips, offset += kStrips * stride) {
    body(offset, column.lanes(), std::integral_constant<int, kStrips>());
  }
  for (; left > 0; --left, offset += stride) body(offset, column.lanes(), std::integral_constant<int, 1>());
  const int64_t rest = rows % column.rows_per_strip;
  if (rest > 0) body(offset, rest * channels, std::integral_constant<int, 1>());
}

}  // namespace yolox
