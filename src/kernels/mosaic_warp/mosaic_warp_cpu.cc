// MosaicWarp on the CPU: rows in spans, spans in runs that each show one image, so that no inner loop branches.
#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "mosaic_warp/mosaic_warp.h"

namespace yolox {
namespace {

using namespace mosaic;

// Rows that one thread draws at a time.
constexpr int64_t kRows = 8;

// Pixels between fetching memory and using it: a shrunk or turned image is read at places no processor foresees.
constexpr int kAhead = 24;

// RGB and one unused value: a pixel fills a vector register.
inline __m128 load_pixel(const uint8_t* at) {
  int32_t bytes;
  std::memcpy(&bytes, at, sizeof bytes);
  return _mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(bytes)));
}

struct Span {
  alignas(64) float layer[4 * kSpan];
  alignas(64) float sum[4 * kSpan];
  // Where a pixel's top-left neighbour lies, how far below it the bottom-left one, and the weights of right and bottom.
  alignas(64) int32_t at[kSpan];
  alignas(64) int32_t below[kSpan];
  alignas(64) float right_weight[kSpan];
  alignas(64) float bottom_weight[kSpan];
};

void fill(Span& span, Range range, float level) {
  std::fill(span.layer + 4 * range.begin, span.layer + 4 * range.end, level);
}

void find_neighbours(Span& span, const Run& run) {
  const int32_t stride = 3 * (run.x.last + 1);
#pragma omp simd
  for (int i = run.range.begin; i < run.range.end; ++i) {
    int x, y;
    span.right_weight[i] = run.x.at(i, &x);
    span.bottom_weight[i] = run.y.at(i, &y);
    span.at[i] = y * stride + 3 * x;
    // The pixel right of the last one is only read; the row below the last one may not even be.
    span.below[i] = y < run.y.last ? stride : 0;
  }
}

void sample(Span& span, const Run& run) {
  if (!run.data) return fill(span, run.range, std::numeric_limits<float>::quiet_NaN());
  find_neighbours(span, run);
  for (int i = run.range.begin; i < run.range.end; ++i) {
    const int ahead = std::min(i + kAhead, run.range.end - 1);
    __builtin_prefetch(run.data + span.at[ahead]);
    __builtin_prefetch(run.data + span.at[ahead] + span.below[ahead]);
    const uint8_t* top = run.data + span.at[i];
    const uint8_t* bottom = top + span.below[i];
    const float right = span.right_weight[i];
    const __m128 above = load_pixel(top) + (load_pixel(top + 3) - load_pixel(top)) * right;
    const __m128 under = load_pixel(bottom) + (load_pixel(bottom + 3) - load_pixel(bottom)) * right;
    const __m128 level = above + (under - above) * span.bottom_weight[i] + kHalf;
    // Levels are not negative: cutting rounds down.
    _mm_store_ps(span.layer + 4 * i, _mm_cvtepi32_ps(_mm_cvttps_epi32(level)));
  }
}

void draw_layer(Span& span, const ImageBatch& batch, const Layer& layer, int64_t row, int64_t column, int count) {
  const Line line = canvas_line(layer, row, column);
  const Range canvas = line.within(0, 0, layer.width, layer.height, count);
  fill(span, {0, count}, layer.outside);
  fill(span, canvas, layer.pad);
  const int tiles = bounded(layer.tiles, kMaxTiles);
  for (int t = 0; t < tiles; ++t) sample(span, make_run(batch, line, layer.tile[t], canvas, count));
}

void shift_colours(float* levels, const float* hsv, int count) {
  const float dh = whole_turn(hsv[0]), ds = hsv[1], dv = hsv[2];
#pragma omp simd
  for (int i = 0; i < count; ++i) {
    const Colour colour = shift_colour({levels[4 * i], levels[4 * i + 1], levels[4 * i + 2]}, dh, ds, dv);
    levels[4 * i] = colour.r;
    levels[4 * i + 1] = colour.g;
    levels[4 * i + 2] = colour.b;
    levels[4 * i + 3] = 0;
  }
}

void write(const float* levels, const Normalisation& norm, int count, float* __restrict out) {
  const int first = norm.bgr ? 2 : 0, last = 2 - first;
  const float gain[3] = {norm.gain[0], norm.gain[1], norm.gain[2]};
  const float shift[3] = {norm.shift[0], norm.shift[1], norm.shift[2]};
  for (int i = 0; i < count; ++i) {
    out[3 * i] = levels[4 * i + first] * gain[0] - shift[0];
    out[3 * i + 1] = levels[4 * i + 1] * gain[1] - shift[1];
    out[3 * i + 2] = levels[4 * i + last] * gain[2] - shift[2];
  }
}

void draw_span(Span& span, const ImageBatch& batch, const WarpPlan& plan, const Normalisation& norm, int64_t row,
               int64_t column, int count, float* out) {
  const int layers = bounded(plan.layers, kMaxLayers);
  const float weight = layers == 2 ? 0.5f : 1.f;
  std::fill_n(span.sum, 4 * count, 0.f);
  for (int l = 0; l < layers; ++l) {
    draw_layer(span, batch, plan.layer[l], row, column, count);
#pragma omp simd
    for (int i = 0; i < 4 * count; ++i) span.sum[i] += weight * span.layer[i];
  }
  if (shifts_colours(plan)) shift_colours(span.sum, plan.hsv, count);
  write(span.sum, norm, count, out);
}

}  // namespace

void mosaic_warp_cpu(const ParallelFor& parallel_for, const ImageBatch& batch, const WarpPlan* plans,
                     const Normalisation& norm, const Output& shape, float* out) {
  const int64_t blocks = (shape.height + kRows - 1) / kRows;
  parallel_for(shape.images * blocks, [&](int64_t begin, int64_t end) {
    Span span;
    for (int64_t block = begin; block < end; ++block) {
      const int64_t image = block / blocks, first = block % blocks * kRows;
      for (int64_t row = first; row < std::min(first + kRows, shape.height); ++row) {
        for (int64_t column = 0; column < shape.width; column += kSpan) {
          const int count = static_cast<int>(std::min<int64_t>(kSpan, shape.width - column));
          float* target = out + 3 * ((image * shape.height + row) * shape.width + column);
          draw_span(span, batch, plans[image], norm, row, column, count, target);
        }
      }
    }
  });
}

}  // namespace yolox
