// Forward convolution and input gradient: the latter is the former with the filter turned round and transposed.
#include "conv2d/winograd.h"
#include "conv2d/winograd_gemm.h"
#include "conv2d/winograd_phases.h"
#include "conv2d/winograd_tiles.h"

namespace yolox {
namespace {

// A block of tiles, transformed inputs and products, stays in one core's second-level cache while the whole filter
// passes by; fewer tiles would make the filter's way from memory too slow.
constexpr int64_t kBlockFloats = 60 * 1024;
constexpr int64_t kLeastTiles = 12;

// Blocks of whole groups of tiles, cut so that every worker gets nearly the same number of tiles.
struct Blocking {
  int64_t group, tiles, blocks;

  Blocking(const Tiles& all, int64_t channels, int64_t workers) {
    const int64_t most = std::max(kLeastTiles, kBlockFloats / (kPositions * channels));
    const int64_t wanted = ceil_div(all.count(), ceil_div(all.count(), most * workers) * workers);
    const int64_t groups = ceil_div(wanted, kMaxRows);
    group = ceil_div(wanted, groups);
    tiles = groups * group;
    blocks = ceil_div(all.count(), tiles);
  }
};

// A transformed filter: [36, from · to in panels]. The 36 matrices are padded out of one another's cache sets.
struct FilterPoints {
  float* data;
  int64_t from, to;

  int64_t position_stride() const { return from * to + kPanel; }
  int64_t floats() const { return kPositions * position_stride(); }
  int64_t panel_width(int64_t column) const { return std::min(kPanel, to - column / kPanel * kPanel); }
  // Panels [to / kPanel] of [from, panel width]
  Grid<float> at(int64_t channel, int64_t column) const {
    const int64_t within = column % kPanel;
    return {data + (column - within) * from + channel * panel_width(column) + within, kPoints * position_stride(),
            position_stride()};
  }
};

int64_t convolve_scratch(const Tiles& tiles, int64_t from, int64_t to, int64_t workers) {
  const Blocking cut(tiles, from + to, workers);
  return FilterPoints{nullptr, from, to}.floats() + workers * (Points<float>::floats(cut.tiles, from, cut.group) +
                                                               Points<float>::floats(cut.tiles, to, cut.group));
}

// Points of filter [3, 3, from, to], for kLanes of the first channels from `channel` on.
void filter_to_points(const float* filter, int64_t channel, const FilterPoints& points) {
  const int64_t from = points.from, to = points.to;
  for (int64_t i = channel; i < channel + kLanes; ++i) {
    for (int64_t column = 0; column < to; column += kLanes) {
      transform<FilterTransform>({filter + i * to + column, kTaps * from * to, from * to}, points.at(i, column));
    }
  }
}

// The same of filter [3, 3, to, from], turned by half a turn: its last tap comes first.
void turned_filter_to_points(const float* filter, int64_t channel, const FilterPoints& points) {
  const int64_t from = points.from, to = points.to;
  constexpr int64_t kSquare = kLanes * kLanes, kLast = kTaps * kTaps - 1;
  for (int64_t column = 0; column < to; column += kLanes) {
    float transposed[kTaps * kTaps][kLanes][kLanes];
    for (int64_t tap = 0; tap <= kLast; ++tap) {
      const float* source = filter + (tap * to + column) * from + channel;
      for (int64_t i = 0; i < kLanes; ++i) {
        for (int64_t j = 0; j < kLanes; ++j) transposed[tap][i][j] = source[j * from + i];
      }
    }
    for (int64_t i = 0; i < kLanes; ++i) {
      transform<FilterTransform>({transposed[kLast][i], -kTaps * kSquare, -kSquare}, points.at(channel + i, column));
    }
  }
}

// products[tile, 36, to] of the first `count` tiles of inputs[tile, 36, from] and the filter's points.
void multiply_points(const Points<float>& inputs, int64_t count, const FilterPoints& filter,
                     const Points<float>& products) {
  const int64_t group = inputs.group;
  for (int64_t position = 0; position < kPositions; ++position) {
    for (int64_t column = 0; column < filter.to; column += kPanel) {
      const float* panel = filter.at(0, column).data + position * filter.position_stride();
      for (int64_t tile = 0; tile < count; tile += group) {
        multiply(inputs.at(tile) + position * inputs.position_stride(), std::min(group, count - tile),
                 filter.from / kLanes, inputs.channel_stride(), panel, filter.panel_width(column),
                 products.at(tile) + position * products.position_stride() + column * group);
      }
    }
  }
}

using FilterToPoints = void (*)(const float* filter, int64_t channel, const FilterPoints& points);

// image_to [batch, height, width, to] from image_from [batch, height, width, from].
void convolve(const ParallelFor& parallel, int64_t workers, const Tiles& tiles, int64_t from, int64_t to,
              const float* image_from, const float* filter, FilterToPoints filter_to_points, float* image_to,
              float* scratch) {
  const Blocking cut(tiles, from + to, workers);
  const FilterPoints filter_points{scratch, from, to};
  const int64_t input_floats = Points<float>::floats(cut.tiles, from, cut.group);
  const int64_t floats = input_floats + Points<float>::floats(cut.tiles, to, cut.group);
  run_phases(parallel, workers, {from / kLanes, cut.blocks}, [&](int64_t worker, int64_t phase, int64_t unit) {
    if (phase == 0) return filter_to_points(filter, unit * kLanes, filter_points);
    const Points<float> inputs{scratch + filter_points.floats() + worker * floats, from, cut.group};
    const Points<float> products{inputs.data + input_floats, to, cut.group};
    const int64_t first = unit * cut.tiles, count = std::min(cut.tiles, tiles.count() - first);
    tiles_to_points<InputTransform, 1>(tiles, image_from, first, count, inputs, 0);
    multiply_points(inputs, count, filter_points, products);
    points_to_tiles(tiles, products, first, count, image_to);
  });
}

}  // namespace

// In winograd_filter_grad_cpu.cc.
int64_t winograd_filter_grad_scratch_floats(const WinogradShape& shape);

bool winograd_supports(const WinogradShape& shape) {
  return shape.batch > 0 && shape.height > 0 && shape.width > 0 && shape.in_channels > 0 && shape.out_channels > 0 &&
         shape.in_channels % kLanes == 0 && shape.out_channels % kLanes == 0;
}

bool winograd_pays(const WinogradShape& shape, ConvDirection direction) {
  const Tiles tiles{shape.batch, shape.height, shape.width};
  // Transforming and fetching the filter costs as much as these many tiles more; per tile, a direct convolution
  // multiplies 9 times for each pixel, this one 36 times.
  const int64_t least = direction == ConvDirection::kFilterGrad ? 32 : 16;
  const int64_t extra = least + shape.in_channels * shape.out_channels / 4096;
  return winograd_supports(shape) && 9 * shape.batch * shape.height * shape.width > 41 * (tiles.count() + extra);
}

int64_t winograd_scratch(const WinogradShape& shape, ConvDirection direction, int64_t workers) {
  const Tiles tiles{shape.batch, shape.height, shape.width};
  switch (direction) {
    case ConvDirection::kForward:
      return convolve_scratch(tiles, shape.in_channels, shape.out_channels, workers);
    case ConvDirection::kInputGrad:
      return convolve_scratch(tiles, shape.out_channels, shape.in_channels, workers);
    default:
      return winograd_filter_grad_scratch_floats(shape);
  }
}

void winograd_forward(const ParallelFor& parallel, int64_t workers, const WinogradShape& shape, const float* x,
                      const float* filter, float* y, float* scratch) {
  convolve(parallel, workers, {shape.batch, shape.height, shape.width}, shape.in_channels, shape.out_channels, x,
           filter, filter_to_points, y, scratch);
}

void winograd_input_grad(const ParallelFor& parallel, int64_t workers, const WinogradShape& shape, const float* dy,
                         const float* filter, float* dx, float* scratch) {
  convolve(parallel, workers, {shape.batch, shape.height, shape.width}, shape.out_channels, shape.in_channels, dy,
           filter, turned_filter_to_points, dx, scratch);
}

}  // namespace yolox
