#include <cmath>
#include <limits>

#include "spp/spp.h"
#include "native/check.h"

namespace yolox {
namespace {

// Few different values, so that maxima tie; now and then NaN or an infinity.
std::vector<float> values_with_ties(Checker& checker, size_t count, bool special) {
  std::vector<float> values = checker.uniform(count, -3, 3);
  for (float& value : values) {
    value = std::floor(value);
    if (special && checker.random()() % 50 == 0) value = std::numeric_limits<float>::quiet_NaN();
    if (special && checker.random()() % 50 == 0) value = -std::numeric_limits<float>::infinity();
  }
  return values;
}

// The first maximum of a window in row-major order, or its first NaN.
int64_t first_maximum(const PoolShape& shape, const std::vector<float>& x, int64_t pixel, int64_t c, int64_t reach) {
  const int64_t row = pixel / shape.width % shape.height, column = pixel % shape.width;
  const int64_t image = pixel - row * shape.width - column;
  int64_t best = -1;
  for (int64_t i = std::max<int64_t>(0, row - reach); i <= std::min(shape.height - 1, row + reach); ++i) {
    for (int64_t j = std::max<int64_t>(0, column - reach); j <= std::min(shape.width - 1, column + reach); ++j) {
      const float value = x[(image + i * shape.width + j) * shape.channels + c];
      const float greatest = best < 0 ? 0 : x[(image + best) * shape.channels + c];
      if (best < 0 || value > greatest || (std::isnan(value) && !std::isnan(greatest))) best = i * shape.width + j;
    }
  }
  return best;
}

// y, source and dx by their definition.
struct Result {
  Result(const PoolShape& shape, const std::vector<float>& x, const std::vector<float>& dy)
      : y(4 * x.size()), source(3 * x.size()), dx(x.size()) {
    const int64_t channels = shape.channels, pixels = shape.batch * shape.height * shape.width;
    for (int part = 0; part <= kPools; ++part) {
      for (int64_t i = 0; i < pixels * channels; ++i) {
        const int64_t pixel = i / channels, c = i % channels;
        const int64_t image = pixel / (shape.height * shape.width) * shape.height * shape.width;
        const int64_t from = first_maximum(shape, x, pixel, c, part * kPoolRadius);
        y[(pixel * (1 + kPools) + part) * channels + c] = x[(image + from) * channels + c];
        if (part > 0) source[(pixel * kPools + part - 1) * channels + c] = static_cast<float>(from);
        dx[(image + from) * channels + c] += dy[(pixel * (1 + kPools) + part) * channels + c];
      }
    }
  }
  std::vector<float> y, source, dx;
};

void check_shape(Checker& checker, const PoolShape& shape, bool special) {
  const size_t size = shape.batch * shape.height * shape.width * shape.channels;
  const std::vector<float> x = values_with_ties(checker, size, special);
  const std::vector<float> dy = checker.uniform(4 * size, -1, 1);
  const Result expected(shape, x, dy);
  for (const ParallelFor& threads : {ParallelFor(serial_for), checker.parallel_for()}) {
    std::vector<float> y(4 * size), source(3 * size), dx(size);
    spp_cpu(threads, shape, x.data(), y.data(), source.data());
    spp_grad_cpu(threads, shape, dy.data(), source.data(), dx.data());
    checker.expect_equal("pools", expected.y, y);
    checker.expect_equal("where the maxima come from", expected.source, source);
    checker.expect_equal("gradient of the pools", expected.dx, dx);
  }
  if (!checker.has_device() || size == 0) return;

  float* y = checker.device<float>(4 * size);
  float* source = checker.device<float>(3 * size);
  float* dx = checker.device<float>(size);
  Launcher& launch = checker.launcher("spp");
  spp_cuda(launch, shape, checker.upload(x), y, source);
  spp_grad_cuda(launch, shape, checker.upload(dy), source, dx);
  checker.expect_equal("pools with CUDA", expected.y, checker.download(y, 4 * size));
  checker.expect_equal("where the maxima come from with CUDA", expected.source, checker.download(source, 3 * size));
  checker.expect_equal("gradient of the pools with CUDA", expected.dx, checker.download(dx, size));
}

}  // namespace

YOLOX_CHECK(spp) {
  for (const PoolShape& shape : {PoolShape{1, 1, 1, 1}, PoolShape{2, 1, 9, 3}, PoolShape{1, 15, 2, 17},
                                 PoolShape{0, 3, 3, 4}, PoolShape{1, 3, 3, 0}, PoolShape{2, 13, 13, 40}}) {
    check_shape(checker, shape, false);
    check_shape(checker, shape, true);
  }
  if (!checker.has_device()) return;
  const PoolShape shape{4, 13, 13, 256};
  const size_t size = shape.batch * shape.height * shape.width * shape.channels;
  const float* x = checker.upload(checker.uniform(size, -1, 1));
  float* y = checker.device<float>(4 * size);
  float* source = checker.device<float>(3 * size);
  float* dx = checker.device<float>(size);
  Launcher& launch = checker.launcher("spp");
  checker.time("pyramid pooling, 13² batch 4, 256 channels", 4.0 * 8 * size,
               [&] { spp_cuda(launch, shape, x, y, source); });
  checker.time("pyramid pooling backward, 13² batch 4, 256 channels", 4.0 * 8 * size,
               [&] { spp_grad_cuda(launch, shape, y, source, dx); });
}

}  // namespace yolox
