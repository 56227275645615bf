// The matrix products in the transformed domain: blocks of registers, kLanes channels to a vector.
#pragma once

#include <utility>

#include "conv2d/winograd_vector.h"

namespace yolox {

// Channels that one pass of a kernel below writes; a last panel may be half as wide.
constexpr int64_t kPanel = 2 * kLanes;
// Rows of accumulators, two vectors each, that fit the registers beside the operands.
#if defined(__AVX512F__)
constexpr int64_t kMaxRows = 14;
#else
constexpr int64_t kMaxRows = 6;
#endif
// Rows of filter-gradient accumulators; divides kLanes.
constexpr int64_t kOuterRows = kLanes / 2;

// c[row, column] = Σ_channel a[row, channel]·b[channel, column] for kRows rows and kVectors vectors of columns.
// a: [blocks, stride / kLanes, kLanes]; b: [blocks · kLanes, kVectors · kLanes]; c: [kVectors, stride / kLanes,
// kLanes].
template <int64_t kVectors, int64_t kRows>
void multiply_rows(const float* __restrict a, int64_t blocks, int64_t stride, const float* __restrict b,
                   float* __restrict c) {
  Vector sums[kRows][kVectors] = {};
  for (int64_t block = 0; block < blocks; ++block, a += stride) {
    for (int64_t k = 0; k < kLanes; ++k, b += kVectors * kLanes) {
#pragma GCC unroll 16
      for (int64_t row = 0; row < kRows; ++row) {
        const float factor = a[row * kLanes + k];
#pragma GCC unroll 2
        for (int64_t i = 0; i < kVectors; ++i) sums[row][i] += factor * load(b + i * kLanes);
      }
    }
  }
#pragma GCC unroll 16
  for (int64_t row = 0; row < kRows; ++row) {
#pragma GCC unroll 2
    for (int64_t i = 0; i < kVectors; ++i) store(c + i * stride + row * kLanes, sums[row][i]);
  }
}

using MultiplyRows = void (*)(const float*, int64_t, int64_t, const float*, float*);

template <int64_t kVectors, int64_t... kRows>
MultiplyRows multiply_rows_for(int64_t rows, std::integer_sequence<int64_t, kRows...>) {
  static constexpr MultiplyRows kKernels[] = {multiply_rows<kVectors, kRows + 1>...};
  return kKernels[rows - 1];
}

// The same for 1 to kMaxRows rows and a panel of `columns` columns, kLanes or kPanel.
inline void multiply(const float* a, int64_t rows, int64_t blocks, int64_t stride, const float* b, int64_t columns,
                     float* c) {
  constexpr auto kRows = std::make_integer_sequence<int64_t, kMaxRows>();
  const MultiplyRows kernel = columns == kPanel ? multiply_rows_for<2>(rows, kRows) : multiply_rows_for<1>(rows, kRows);
  kernel(a, blocks, stride, b, c);
}

// c[row, column] (+)= Σ_tile a[tile, row]·b[tile, column] for kOuterRows rows and kVectors vectors of columns, over
// tiles that come in groups of kGroup, a_step and b_step floats apart.
// a: [kGroup, kLanes], from its first row on; b: [kVectors, kGroup, kLanes]; c: [kOuterRows, kPanel].
template <int64_t kVectors, int64_t kGroup>
void multiply_outer(const float* __restrict a, int64_t a_step, const float* __restrict b, int64_t b_step, int64_t tiles,
                    float* __restrict c, bool add) {
  Vector sums[kOuterRows][kVectors] = {};
  for (; tiles > 0; tiles -= kGroup, a += a_step, b += b_step) {
    const int64_t count = tiles < kGroup ? tiles : kGroup;
    for (int64_t tile = 0; tile < count; ++tile) {
#pragma GCC unroll 16
      for (int64_t row = 0; row < kOuterRows; ++row) {
        const float factor = a[tile * kLanes + row];
#pragma GCC unroll 2
        for (int64_t i = 0; i < kVectors; ++i) sums[row][i] += factor * load(b + (i * kGroup + tile) * kLanes);
      }
    }
  }
#pragma GCC unroll 16
  for (int64_t row = 0; row < kOuterRows; ++row) {
#pragma GCC unroll 2
    for (int64_t i = 0; i < kVectors; ++i) {
      float* to = c + row * kPanel + i * kLanes;
      store(to, add ? load(to) + sums[row][i] : sums[row][i]);
    }
  }
}

}  // namespace yolox
