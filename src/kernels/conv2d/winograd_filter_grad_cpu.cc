// Filter gradient: in the transformed domain a product of inputs and output gradients, summed over all tiles.
#include "conv2d/winograd.h"
#include "conv2d/winograd_gemm.h"
#include "conv2d/winograd_phases.h"
#include "conv2d/winograd_tiles.h"

namespace yolox {
namespace {

constexpr int64_t kGroup = 16;  // tiles that lie together in memory

// Sums of products of kLanes in-channels and kPanel out-channels: [36 (kSumStride), kLanes, kPanel].
constexpr int64_t kSumStride = kLanes * kPanel + kLanes;
constexpr int64_t kSumFloats = kPositions * kSumStride;

// Tiles are taken in chunks, one after another; of each first the tiles are transformed, then products added, every sum
// by one thread. So sums run over tiles in their order, whatever the number of threads.
constexpr int64_t kChunkFloats = 300 * 1024;  // about what two second-level caches hold
constexpr int64_t kLeastChunk = 64;           // below, sums are loaded and stored too often
constexpr int64_t kUnitTiles = 8;             // tiles that a thread transforms at a time
constexpr int64_t kUnitChannels = 64;         // in-channels whose sums a thread adds to at a time, of one position

int64_t chunk_tiles(const Tiles& tiles, const WinogradShape& shape) {
  const int64_t most = std::max(kLeastChunk, kChunkFloats / (kPositions * (shape.in_channels + shape.out_channels)));
  return ceil_div(tiles.count(), ceil_div(tiles.count(), most));
}

int64_t sum_floats(const WinogradShape& shape) {
  return shape.in_channels / kLanes * ceil_div(shape.out_channels, kPanel) * kSumFloats;
}

// sums (+)= products of `count` tiles at one of the 36 positions, for in-channels [begin, end).
void add_products(const Points<float>& inputs, const Points<float>& grads, int64_t count, int64_t position,
                  int64_t begin, int64_t end, float* sums, bool add) {
  const int64_t panels = ceil_div(grads.channels, kPanel);
  const float* b = grads.data + position * grads.position_stride();
  for (int64_t channel = begin; channel < end; channel += kLanes) {
    const float* a = inputs.data + position * inputs.position_stride() + channel * kGroup;
    float* c = sums + channel / kLanes * panels * kSumFloats + position * kSumStride;
    for (int64_t column = 0; column < grads.channels; column += kPanel, c += kSumFloats) {
      const auto kernel = grads.channels - column < kPanel ? multiply_outer<1, kGroup> : multiply_outer<2, kGroup>;
      for (int64_t row = 0; row < kLanes; row += kOuterRows) {
        kernel(a + row, inputs.group_stride(), b + column * kGroup, grads.group_stride(), count, c + row * kPanel, add);
      }
    }
  }
}

// dfilter [3, 3, in, out] for in-channels `block` · kLanes… from their sums.
void sums_to_filter(const WinogradShape& shape, int64_t block, const float* sums, float* dfilter) {
  const int64_t out = shape.out_channels, pairs = shape.in_channels * out;
  const float* from = sums + block * ceil_div(out, kPanel) * kSumFloats;
  for (int64_t panel = 0; panel < out; panel += kPanel, from += kSumFloats) {
    for (int64_t row = 0; row < kLanes; ++row) {
      float* to = dfilter + (block * kLanes + row) * out + panel;
      for (int64_t column = 0; column < std::min(kPanel, out - panel); column += kLanes) {
        transform<FilterGradTransform>({from + row * kPanel + column, kPoints * kSumStride, kSumStride},
                                       {to + column, kTaps * pairs, pairs});
      }
    }
  }
}

}  // namespace

int64_t winograd_filter_grad_scratch_floats(const WinogradShape& shape) {
  const int64_t chunk = chunk_tiles({shape.batch, shape.height, shape.width}, shape);
  return sum_floats(shape) + Points<float>::floats(chunk, shape.in_channels, kGroup) +
         Points<float>::floats(chunk, shape.out_channels, kGroup);
}

void winograd_filter_grad(const ParallelFor& parallel, const WinogradShape& shape, const float* x, const float* dy,
                          float* dfilter, float* scratch) {
  const Tiles tiles{shape.batch, shape.height, shape.width};
  const int64_t in = shape.in_channels, chunk = chunk_tiles(tiles, shape), chunks = ceil_div(tiles.count(), chunk);
  float* sums = scratch;
  const Points<float> inputs{sums + sum_floats(shape), in, kGroup};
  const Points<float> grads{inputs.data + Points<float>::floats(chunk, in, kGroup), shape.out_channels, kGroup};

  const int64_t parts = ceil_div(in, kUnitChannels);
  std::vector<int64_t> units;
  for (int64_t i = 0; i < chunks; ++i) {
    const int64_t count = std::min(chunk, tiles.count() - i * chunk);
    units.insert(units.end(), {ceil_div(count, kUnitTiles), kPositions * parts});
  }
  units.push_back(in / kLanes);

  const int64_t workers = kPositions * parts;  // more would find no work
  run_phases(parallel, workers, units, [&](int64_t, int64_t phase, int64_t unit) {
    const int64_t first = phase / 2 * chunk, count = std::min(chunk, tiles.count() - first);
    if (phase == 2 * chunks) {
      sums_to_filter(shape, unit, sums, dfilter);
    } else if (phase % 2 == 0) {
      const int64_t begin = unit * kUnitTiles, some = std::min(kUnitTiles, count - begin);
      tiles_to_points<InputTransform, 1>(tiles, x, first + begin, some, inputs, begin);
      tiles_to_points<OutputGradTransform, 0>(tiles, dy, first + begin, some, grads, begin);
    } else {
      const int64_t begin = unit % parts * kUnitChannels;
      add_products(inputs, grads, count, unit / parts, begin, std::min(begin + kUnitChannels, in), sums, phase > 1);
    }
  });
}

}  // namespace yolox
