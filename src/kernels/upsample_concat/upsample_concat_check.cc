#include "native/check.h"
#include "upsample_concat/upsample_concat.h"

namespace yolox {
namespace {

struct Sizes {
  explicit Sizes(const UpsampleShape& shape)
      : coarse(shape.batch * shape.height * shape.width * shape.coarse_channels),
        fine(shape.batch * 4 * shape.height * shape.width * shape.fine_channels),
        y(4 * coarse + fine) {}
  size_t coarse, fine, y;
};

// The definition, value by value.
std::vector<float> definition(const UpsampleShape& shape, const std::vector<float>& coarse,
                              const std::vector<float>& fine) {
  const int64_t width = 2 * shape.width, rows = 2 * shape.batch * shape.height;
  std::vector<float> y;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t x = 0; x < width; ++x) {
      const float* cell = coarse.data() + (row / 2 * shape.width + x / 2) * shape.coarse_channels;
      const float* pixel = fine.data() + (row * width + x) * shape.fine_channels;
      y.insert(y.end(), cell, cell + shape.coarse_channels);
      y.insert(y.end(), pixel, pixel + shape.fine_channels);
    }
  }
  return y;
}

void check_shape(Checker& checker, const UpsampleShape& shape) {
  const Sizes sizes(shape);
  const std::vector<float> coarse = checker.uniform(sizes.coarse, -1, 1), fine = checker.uniform(sizes.fine, -1, 1);
  const std::vector<float> expected = definition(shape, coarse, fine);
  const std::vector<float> dy = checker.uniform(sizes.y, -1, 1);
  std::vector<float> dcoarse, dfine;
  for (const ParallelFor& threads : {ParallelFor(serial_for), checker.parallel_for()}) {
    std::vector<float> y(sizes.y), da(sizes.coarse), db(sizes.fine);
    upsample_concat_cpu(threads, shape, coarse.data(), fine.data(), y.data());
    upsample_concat_grad_cpu(threads, shape, dy.data(), da.data(), db.data());
    checker.expect_equal("upsample and concat", expected, y);
    if (!dcoarse.empty()) checker.expect_equal("upsample gradient on any number of threads", dcoarse, da);
    if (!dfine.empty()) checker.expect_equal("concat gradient on any number of threads", dfine, db);
    dcoarse = da;
    dfine = db;
  }
  // The adjoint: ⟨dy, f(x)⟩ = ⟨df(dy), x⟩.
  double forward = 0, backward = 0;
  for (size_t i = 0; i < sizes.y; ++i) forward += static_cast<double>(dy[i]) * expected[i];
  for (size_t i = 0; i < sizes.coarse; ++i) backward += static_cast<double>(dcoarse[i]) * coarse[i];
  for (size_t i = 0; i < sizes.fine; ++i) backward += static_cast<double>(dfine[i]) * fine[i];
  checker.expect("the gradient is the adjoint", std::abs(forward - backward) <= 1e-6 * (1 + sizes.y));
  if (!checker.has_device() || sizes.y == 0) return;

  Launcher& launch = checker.launcher("upsample_concat");
  float* device_y = checker.device<float>(sizes.y);
  float* da = checker.device<float>(sizes.coarse);
  float* db = checker.device<float>(sizes.fine);
  upsample_concat_cuda(launch, shape, checker.upload(coarse), checker.upload(fine), device_y);
  checker.expect_equal("upsample and concat with CUDA", expected, checker.download(device_y, sizes.y));
  upsample_concat_grad_cuda(launch, shape, checker.upload(dy), da, db);
  checker.expect_equal("upsample gradient with CUDA", dcoarse, checker.download(da, sizes.coarse));
  checker.expect_equal("concat gradient with CUDA", dfine, checker.download(db, sizes.fine));
}

}  // namespace

YOLOX_CHECK(upsample_concat) {
  for (const UpsampleShape& shape :
       {UpsampleShape{1, 1, 1, 1, 1}, UpsampleShape{2, 3, 1, 5, 2}, UpsampleShape{1, 4, 7, 33, 65},
        UpsampleShape{0, 2, 2, 3, 3}, UpsampleShape{1, 2, 3, 4, 0}, UpsampleShape{2, 13, 13, 64, 64}}) {
    check_shape(checker, shape);
  }
  if (!checker.has_device()) return;
  const UpsampleShape shape{4, 26, 26, 128, 128};
  const Sizes sizes(shape);
  const float* coarse = checker.upload(checker.uniform(sizes.coarse, -1, 1));
  const float* fine = checker.upload(checker.uniform(sizes.fine, -1, 1));
  float* y = checker.device<float>(sizes.y);
  Launcher& launch = checker.launcher("upsample_concat");
  checker.time("upsample and concat, 52² batch 4, 128 + 128", 4.0 * (sizes.coarse + sizes.fine + sizes.y),
               [&] { upsample_concat_cuda(launch, shape, coarse, fine, y); });
}

}  // namespace yolox
