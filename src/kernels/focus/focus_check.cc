#include "focus/focus.h"
#include "native/check.h"

namespace yolox {
namespace {

void check_shape(Checker& checker, const FocusShape& shape) {
  const size_t size = shape.batch * shape.height * shape.width * shape.channels;
  const std::vector<float> x = checker.uniform(size, -1, 1);
  std::vector<float> y(size), parallel(size);
  focus_cpu(serial_for, shape, x.data(), y.data());
  focus_cpu(checker.parallel_for(), shape, x.data(), parallel.data());
  checker.expect_equal("focus on any number of threads", y, parallel);
  // The definition, value by value.
  std::vector<float> expected(size);
  for (size_t i = 0; i < size; ++i) {
    const int64_t c = i % shape.channels, column = i / shape.channels % shape.width;
    const int64_t row = i / (shape.channels * shape.width);
    const int64_t patch = column % 2 * 2 + row % 2;
    expected[((row / 2 * (shape.width / 2) + column / 2) * 4 + patch) * shape.channels + c] = x[i];
  }
  checker.expect_equal("focus", expected, y);
  if (!checker.has_device() || size == 0) return;
  const float* device_x = checker.upload(x);
  float* device_y = checker.device<float>(size);
  focus_cuda(checker.launcher("focus"), shape, device_x, device_y);
  checker.expect_equal("focus with CUDA", y, checker.download(device_y, size));
}

}  // namespace

YOLOX_CHECK(focus) {
  for (const FocusShape& shape : {FocusShape{1, 2, 2, 1}, FocusShape{2, 4, 6, 3}, FocusShape{1, 6, 2, 5},
                                  FocusShape{0, 2, 2, 3}, FocusShape{3, 34, 130, 3}}) {
    check_shape(checker, shape);
  }
  if (!checker.has_device()) return;
  const FocusShape shape{4, 416, 416, 3};
  const size_t size = shape.batch * shape.height * shape.width * shape.channels;
  const float* x = checker.upload(checker.uniform(size, 0, 255));
  float* y = checker.device<float>(size);
  Launcher& launch = checker.launcher("focus");
  checker.time("focus, 416² batch 4", 8.0 * size, [&] { focus_cuda(launch, shape, x, y); });
}

}  // namespace yolox
