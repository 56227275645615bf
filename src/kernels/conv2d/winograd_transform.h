// The linear maps of Winograd's F(4×4, 3×3), one-dimensional and applied to rows and columns.
//
// Four outputs y of a filter of three taps g over six inputs d: y = Aᵀ[(G·g) ⊙ (Bᵀ·d)]. The matrices follow from the
// interpolation points 0, ±a, ±b, ∞. The usual a = 1, b = 2 loses two bits more of float32 than a = 3/4, b = 3/2,
// whose squares and cubes are exact as well.
#pragma once

#include <iterator>

#include "conv2d/winograd_vector.h"

namespace yolox {

constexpr int64_t kTile = 4;                       // outputs of a tile, per dimension
constexpr int64_t kTaps = 3;                       // filter taps, per dimension
constexpr int64_t kPoints = kTile + kTaps - 1;     // inputs of a tile and interpolation points, per dimension
constexpr int64_t kPositions = kPoints * kPoints;  // products per tile and channel pair

constexpr float kA = 0.75f, kA2 = kA * kA, kA3 = kA2 * kA;
constexpr float kB = 1.5f, kB2 = kB * kB, kB3 = kB2 * kB;
// 1 / Π(p − q) over the other finite points q, for p = 0, ±a, ±b.
constexpr float kScale0 = 1 / (kA2 * kB2);
constexpr float kScaleA = 1 / (2 * kA2 * (kA2 - kB2));
constexpr float kScaleB = 1 / (2 * kB2 * (kB2 - kA2));

// Bᵀ: inputs to points.
struct InputTransform {
  static constexpr int64_t kFrom = kPoints, kTo = kPoints;
  static constexpr int64_t kTogether[][2] = {{0, 5}, {1, 2}, {3, 4}};
  static void apply(const Vector* d, Vector* v) {
    const Vector even_a = d[4] - kB2 * d[2], odd_a = d[3] - kB2 * d[1];
    const Vector even_b = d[4] - kA2 * d[2], odd_b = d[3] - kA2 * d[1];
    v[0] = even_b + kB2 * (kA2 * d[0] - d[2]);
    v[1] = even_a + kA * odd_a;
    v[2] = even_a - kA * odd_a;
    v[3] = even_b + kB * odd_b;
    v[4] = even_b - kB * odd_b;
    v[5] = (d[5] - kA2 * d[3]) - kB2 * odd_b;
  }
};

// Aᵀ: points to outputs.
struct OutputTransform {
  static constexpr int64_t kFrom = kPoints, kTo = kTile;
  static constexpr int64_t kTogether[][2] = {{0, 2}, {1, 3}};
  static void apply(const Vector* m, Vector* y) {
    const Vector even_a = m[1] + m[2], odd_a = m[1] - m[2];
    const Vector even_b = m[3] + m[4], odd_b = m[3] - m[4];
    y[0] = m[0] + (even_a + even_b);
    y[1] = kA * odd_a + kB * odd_b;
    y[2] = kA2 * even_a + kB2 * even_b;
    y[3] = m[5] + (kA3 * odd_a + kB3 * odd_b);
  }
};

// A: gradients of the outputs to gradients of the points.
struct OutputGradTransform {
  static constexpr int64_t kFrom = kTile, kTo = kPoints;
  static constexpr int64_t kTogether[][2] = {{0, 5}, {1, 2}, {3, 4}};
  static void apply(const Vector* dy, Vector* w) {
    const Vector even_a = dy[0] + kA2 * dy[2], odd_a = dy[1] + kA2 * dy[3];
    const Vector even_b = dy[0] + kB2 * dy[2], odd_b = dy[1] + kB2 * dy[3];
    w[0] = dy[0];
    w[1] = even_a + kA * odd_a;
    w[2] = even_a - kA * odd_a;
    w[3] = even_b + kB * odd_b;
    w[4] = even_b - kB * odd_b;
    w[5] = dy[3];
  }
};

// G: taps to points.
struct FilterTransform {
  static constexpr int64_t kFrom = kTaps, kTo = kPoints;
  static constexpr int64_t kTogether[][6] = {{0, 1, 2, 3, 4, 5}};
  static void apply(const Vector* g, Vector* u) {
    const Vector even_a = kScaleA * (g[0] + kA2 * g[2]), odd_a = (kScaleA * kA) * g[1];
    const Vector even_b = kScaleB * (g[0] + kB2 * g[2]), odd_b = (kScaleB * kB) * g[1];
    u[0] = kScale0 * g[0];
    u[1] = even_a + odd_a;
    u[2] = even_a - odd_a;
    u[3] = even_b + odd_b;
    u[4] = even_b - odd_b;
    u[5] = g[2];
  }
};

// Gᵀ: gradients of the points to gradients of the taps.
struct FilterGradTransform {
  static constexpr int64_t kFrom = kPoints, kTo = kTaps;
  static constexpr int64_t kTogether[][3] = {{0, 1, 2}};
  static void apply(const Vector* du, Vector* dg) {
    const Vector even_a = kScaleA * (du[1] + du[2]), odd_a = kScaleA * (du[1] - du[2]);
    const Vector even_b = kScaleB * (du[3] + du[4]), odd_b = kScaleB * (du[3] - du[4]);
    dg[0] = kScale0 * du[0] + (even_a + even_b);
    dg[1] = kA * odd_a + kB * odd_b;
    dg[2] = du[5] + (kA2 * even_a + kB2 * even_b);
  }
};

// Where element [row, column] of a small matrix of vectors lies.
template <typename T>
struct Grid {
  T* data;
  int64_t row_stride, column_stride;
  T* at(int64_t row, int64_t column) const { return data + row * row_stride + column * column_stride; }
};

// to = M·from·Mᵀ, a few rows of M at a time: as many as leave the intermediate result in registers.
template <typename Transform>
inline void transform(Grid<const float> from, Grid<float> to) {
  constexpr int64_t kFrom = Transform::kFrom, kTo = Transform::kTo;
  constexpr int64_t kRows = std::size(Transform::kTogether[0]);
#pragma GCC unroll 3
  for (const auto& rows : Transform::kTogether) {
    Vector half[kRows][kFrom];
#pragma GCC unroll 6
    for (int64_t column = 0; column < kFrom; ++column) {
      Vector in[kFrom], out[kTo];
#pragma GCC unroll 6
      for (int64_t row = 0; row < kFrom; ++row) in[row] = load(from.at(row, column));
      Transform::apply(in, out);
#pragma GCC unroll 6
      for (int64_t row = 0; row < kRows; ++row) half[row][column] = out[rows[row]];
    }
#pragma GCC unroll 6
    for (int64_t row = 0; row < kRows; ++row) {
      Vector out[kTo];
      Transform::apply(half[row], out);
#pragma GCC unroll 6
      for (int64_t column = 0; column < kTo; ++column) store(to.at(rows[row], column), out[column]);
    }
  }
}

}  // namespace yolox
