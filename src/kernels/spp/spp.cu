// Spatial pyramid pooling: a thread computes one value, or its gradient; a block's x runs along the channels, so that
// neighbouring threads read and write neighbours. The windows of a block overlap and come from the cache.
#include "spp/spp.h"

namespace {

constexpr int kReach = yolox::kPools * yolox::kPoolRadius;

// The place of a thread's value.
struct Place {
  __device__ explicit Place(const yolox::PoolShape& shape) {
    channel = static_cast<int64_t>(blockIdx.y) * blockDim.x + threadIdx.x;
    pixel = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
    exists = channel < shape.channels && pixel < shape.batch * shape.height * shape.width;
    column = static_cast<int>(pixel % shape.width);
    row = static_cast<int>(pixel / shape.width % shape.height);
    image = pixel - row * shape.width - column;
  }

  int64_t channel, pixel;
  // The first pixel of the image.
  int64_t image;
  int row, column;
  bool exists;
};

// Index of the smallest pool whose window reaches this far.
__device__ inline int first_pool(int rows, int columns) {
  const int distance = max(max(abs(rows), abs(columns)), 1);
  return (distance + yolox::kPoolRadius - 1) / yolox::kPoolRadius - 1;
}

}  // namespace

extern "C" __global__ void spp(yolox::PoolShape shape, const float* x, float* y, float* source) {
  const Place at(shape);
  if (!at.exists) return;
  const int64_t channels = shape.channels;
  const float own = x[at.pixel * channels + at.channel];
  float best[yolox::kPools], from[yolox::kPools];
  for (int pool = 0; pool < yolox::kPools; ++pool) {
    best[pool] = own;
    from[pool] = static_cast<float>(at.pixel - at.image);
  }
  for (int rows = -kReach; rows <= kReach; ++rows) {
    if (at.row + rows < 0 || at.row + rows >= shape.height) continue;
    for (int columns = -kReach; columns <= kReach; ++columns) {
      if (at.column + columns < 0 || at.column + columns >= shape.width) continue;
      const int64_t position = (at.row + rows) * shape.width + at.column + columns;
      const float value = x[(at.image + position) * channels + at.channel];
      for (int pool = 0; pool < yolox::kPools; ++pool) {
        const bool take = pool >= first_pool(rows, columns) &&
                          yolox::goes_before(value, static_cast<float>(position), best[pool], from[pool]);
        best[pool] = take ? value : best[pool];
        from[pool] = take ? static_cast<float>(position) : from[pool];
      }
    }
  }
  float* to = y + at.pixel * (1 + yolox::kPools) * channels + at.channel;
  to[0] = own;
  for (int pool = 0; pool < yolox::kPools; ++pool) {
    to[(1 + pool) * channels] = best[pool];
    source[(at.pixel * yolox::kPools + pool) * channels + at.channel] = from[pool];
  }
}

// Asks every window around whether its maximum came from here: no two threads add to one value, and they add in the
// order of the CPU.
extern "C" __global__ void spp_grad(yolox::PoolShape shape, const float* dy, const float* source, float* dx) {
  const Place at(shape);
  if (!at.exists) return;
  const int64_t channels = shape.channels;
  const float here = static_cast<float>(at.pixel - at.image);
  float sum = dy[at.pixel * (1 + yolox::kPools) * channels + at.channel];
  for (int pool = 0; pool < yolox::kPools; ++pool) {
    const int reach = (1 + pool) * yolox::kPoolRadius;
    for (int rows = -reach; rows <= reach; ++rows) {
      if (at.row + rows < 0 || at.row + rows >= shape.height) continue;
      for (int columns = -reach; columns <= reach; ++columns) {
        if (at.column + columns < 0 || at.column + columns >= shape.width) continue;
        const int64_t pixel = at.pixel + rows * shape.width + columns;
        if (source[(pixel * yolox::kPools + pool) * channels + at.channel] != here) continue;
        sum += dy[(pixel * (1 + yolox::kPools) + 1 + pool) * channels + at.channel];
      }
    }
  }
  dx[at.pixel * channels + at.channel] = sum;
}
