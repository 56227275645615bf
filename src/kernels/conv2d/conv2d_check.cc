// Convolutions by Winograd against direct ones in double precision, and on one thread against several.
#include <cmath>

#include "conv2d/winograd.h"
#include "native/check.h"

namespace yolox {
namespace {

using Doubles = std::vector<double>;

struct Case {
  WinogradShape shape;
  std::vector<float> x, filter, dy;
};

Case make_case(Checker& checker, const WinogradShape& shape) {
  const size_t pixels = shape.batch * shape.height * shape.width;
  return {shape, checker.uniform(pixels * shape.in_channels, -1, 1),
          checker.uniform(9 * shape.in_channels * shape.out_channels, -1, 1),
          checker.uniform(pixels * shape.out_channels, -1, 1)};
}

// y, dx and dfilter.
struct Expected {
  Doubles y, dx, dfilter;

  explicit Expected(const Case& c) : y(c.dy.size()), dx(c.x.size()), dfilter(c.filter.size()) {
    const auto& [batch, height, width, in, out] = c.shape;
    for (int64_t pixel = 0; pixel < batch * height * width; ++pixel) {
      for (int64_t tap = 0; tap < 9; ++tap) {
        const int64_t row = pixel / width % height + tap / 3 - 1, column = pixel % width + tap % 3 - 1;
        if (row < 0 || row >= height || column < 0 || column >= width) continue;
        const int64_t source = pixel + (tap / 3 - 1) * width + tap % 3 - 1;
        for (int64_t i = 0; i < in; ++i) {
          for (int64_t o = 0; o < out; ++o) {
            const double x = c.x[source * in + i], dy = c.dy[pixel * out + o];
            const double weight = c.filter[(tap * in + i) * out + o];
            y[pixel * out + o] += x * weight;
            dx[source * in + i] += dy * weight;
            dfilter[(tap * in + i) * out + o] += x * dy;
          }
        }
      }
    }
  }
};

std::vector<float> run(const ParallelFor& parallel, int64_t workers, const Case& c, ConvDirection direction) {
  std::vector<float> scratch(winograd_scratch(c.shape, direction, workers), NAN), result;
  switch (direction) {
    case ConvDirection::kForward:
      result.assign(c.dy.size(), NAN);
      winograd_forward(parallel, workers, c.shape, c.x.data(), c.filter.data(), result.data(), scratch.data());
      break;
    case ConvDirection::kInputGrad:
      result.assign(c.x.size(), NAN);
      winograd_input_grad(parallel, workers, c.shape, c.dy.data(), c.filter.data(), result.data(), scratch.data());
      break;
    case ConvDirection::kFilterGrad:
      result.assign(c.filter.size(), NAN);
      winograd_filter_grad(parallel, c.shape, c.x.data(), c.dy.data(), result.data(), scratch.data());
      break;
  }
  return result;
}

void check_direction(Checker& checker, const std::string& what, const Case& c, ConvDirection direction,
                     const Doubles& expected) {
  const std::vector<float> result = run(serial_for, 1, c, direction);
  double squares = 0;
  for (double value : expected) squares += value * value;
  checker.expect_near(what, std::vector<float>(expected.begin(), expected.end()), result, 0,
                      5e-5 * std::sqrt(squares / expected.size()));
  checker.expect_equal(what + ", 3 workers", result, run(checker.parallel_for(), 3, c, direction));
  checker.expect_equal(what + ", 3 workers on one thread", result, run(serial_for, 3, c, direction));
}

}  // namespace

YOLOX_CHECK(conv2d) {
  const WinogradShape shapes[] = {{1, 1, 1, 16, 16}, {2, 5, 3, 32, 48},   {1, 8, 12, 48, 16}, {3, 13, 13, 64, 32},
                                  {1, 4, 4, 80, 96}, {1, 33, 70, 16, 32}, {2, 26, 26, 32, 32}};
  for (const WinogradShape& shape : shapes) {
    const Case c = make_case(checker, shape);
    const Expected expected(c);
    const std::string name = "winograd " + std::to_string(shape.batch) + "x" + std::to_string(shape.height) + "x" +
                             std::to_string(shape.width) + " " + std::to_string(shape.in_channels) + "->" +
                             std::to_string(shape.out_channels);
    check_direction(checker, name + " forward", c, ConvDirection::kForward, expected.y);
    check_direction(checker, name + " input gradient", c, ConvDirection::kInputGrad, expected.dx);
    check_direction(checker, name + " filter gradient", c, ConvDirection::kFilterGrad, expected.dfilter);
  }
  checker.expect("winograd takes no odd channels", !winograd_supports({1, 8, 8, 20, 32}));
  checker.expect("winograd takes nothing empty", !winograd_supports({0, 8, 8, 32, 32}));
  checker.expect("winograd pays for YOLOX-S at 416", winograd_pays({4, 13, 13, 256, 256}, ConvDirection::kForward));
  checker.expect("winograd does not pay for one tiny image",
                 !winograd_pays({1, 4, 4, 512, 512}, ConvDirection::kForward));
}

}  // namespace yolox
