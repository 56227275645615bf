// Spatial pyramid pooling on the CPU. A task is a few channels of one image, brought together into planes that
// stay in the cache; a 5×5 maximum is one along rows, then one along columns.
#include <algorithm>
#include <vector>

#include "spp/spp.h"

namespace yolox {
namespace {

// Channels of a task: one cache line of floats.
constexpr int kLanes = 16;

struct Planes {
  explicit Planes(int64_t positions) : values(positions * kLanes), sources(positions * kLanes) {}
  std::vector<float> values, sources;
};

// Maxima along `count` places, `stride` floats apart, from `start` on.
void pool_line(const Planes& from, int64_t start, int64_t count, int64_t stride, Planes& to) {
  for (int64_t i = 0; i < count; ++i) {
    const int64_t low = std::max<int64_t>(0, i - kPoolRadius), high = std::min(count - 1, i + kPoolRadius);
    float best[kLanes], source[kLanes];
    std::copy_n(&from.values[start + low * stride], kLanes, best);
    std::copy_n(&from.sources[start + low * stride], kLanes, source);
    for (int64_t j = low + 1; j <= high; ++j) {
      const float* values = &from.values[start + j * stride];
      const float* sources = &from.sources[start + j * stride];
#pragma omp simd
      for (int c = 0; c < kLanes; ++c) {
        const bool take = goes_before(values[c], sources[c], best[c], source[c]);
        best[c] = take ? values[c] : best[c];
        source[c] = take ? sources[c] : source[c];
      }
    }
    std::copy_n(best, kLanes, &to.values[start + i * stride]);
    std::copy_n(source, kLanes, &to.sources[start + i * stride]);
  }
}

void pool_plane(const PoolShape& shape, Planes& planes, Planes& rows) {
  const int64_t row = shape.width * kLanes;
  for (int64_t y = 0; y < shape.height; ++y) pool_line(planes, y * row, shape.width, kLanes, rows);
  for (int64_t x = 0; x < shape.width; ++x) pool_line(rows, x * kLanes, shape.height, row, planes);
}

// Runs body(image, first channel, channels) over all tasks.
template <typename Body>
void for_each_task(const ParallelFor& parallel_for, const PoolShape& shape, const Body& body) {
  const int64_t groups = (shape.channels + kLanes - 1) / kLanes;
  parallel_for(shape.batch * groups, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t first = task % groups * kLanes;
      body(task / groups, first, static_cast<int>(std::min<int64_t>(kLanes, shape.channels - first)));
    }
  });
}

}  // namespace

void spp_cpu(const ParallelFor& parallel_for, const PoolShape& shape, const float* x, float* y, float* source) {
  const int64_t positions = shape.height * shape.width, channels = shape.channels;
  for_each_task(parallel_for, shape, [&](int64_t image, int64_t first, int count) {
    Planes planes(positions), rows(positions);
    const int64_t start = image * positions;
    for (int64_t p = 0; p < positions; ++p) {
      const float* from = x + (start + p) * channels + first;
      std::copy_n(from, count, &planes.values[p * kLanes]);
      std::copy_n(from, count, y + (start + p) * (1 + kPools) * channels + first);
      std::fill_n(&planes.sources[p * kLanes], kLanes, static_cast<float>(p));
    }
    for (int pool = 0; pool < kPools; ++pool) {
      pool_plane(shape, planes, rows);
      for (int64_t p = 0; p < positions; ++p) {
        std::copy_n(&planes.values[p * kLanes], count, y + ((start + p) * (1 + kPools) + 1 + pool) * channels + first);
        std::copy_n(&planes.sources[p * kLanes], count, source + ((start + p) * kPools + pool) * channels + first);
      }
    }
  });
}

void spp_grad_cpu(const ParallelFor& parallel_for, const PoolShape& shape, const float* dy, const float* source,
                       float* dx) {
  const int64_t positions = shape.height * shape.width, channels = shape.channels;
  for_each_task(parallel_for, shape, [&](int64_t image, int64_t first, int count) {
    std::vector<float> sums(positions * kLanes);
    const int64_t start = image * positions;
    for (int64_t p = 0; p < positions; ++p) {
      std::copy_n(dy + (start + p) * (1 + kPools) * channels + first, count, &sums[p * kLanes]);
    }
    for (int pool = 0; pool < kPools; ++pool) {
      for (int64_t p = 0; p < positions; ++p) {
        const float* grads = dy + ((start + p) * (1 + kPools) + 1 + pool) * channels + first;
        const float* sources = source + ((start + p) * kPools + pool) * channels + first;
        for (int c = 0; c < count; ++c) sums[static_cast<int64_t>(sources[c]) * kLanes + c] += grads[c];
      }
    }
    for (int64_t p = 0; p < positions; ++p) {
      std::copy_n(&sums[p * kLanes], count, dx + (start + p) * channels + first);
    }
  });
}

}  // namespace yolox
