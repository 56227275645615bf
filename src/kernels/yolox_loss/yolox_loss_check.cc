// Random assignments, dense, sparse and empty; rows and classes that don't exist; logits beyond every range.
#include "native/check.h"
#include "yolox_loss/yolox_loss.h"

namespace yolox {
namespace {

using Vector = std::vector<float>;

struct Case {
  YoloxLoss op;
  Vector raw, labels, matched_gt, matched_iou, num_fg;
};

// `limit`: of the outputs' size. `density`: share of the anchors that are matched.
Case random_case(Checker& checker, YoloxLoss op, int height, int width, float limit, float density) {
  for (int stride : {8, 16, 32}) add_level(&op.anchors, height, width, stride);
  Case c{op, checker.uniform(op.total() * op.columns(), -limit, limit), {}, {}, checker.uniform(op.total(), 0, 1), {0}};
  for (int i = 0; i < op.batch * op.rows; i++) {
    const Vector u = checker.uniform(5, 0, 1);
    const Vector row = {std::floor(u[0] * op.classes), u[1] * width, u[2] * height, 1 + 60 * u[3], 1 + 60 * u[4]};
    c.labels.insert(c.labels.end(), row.begin(), row.end());
  }
  for (float u : checker.uniform(op.total(), 0, 1)) {
    c.matched_gt.push_back(u < density ? std::floor(u / density * op.rows) : -1);
    c.num_fg[0] += u < density;
  }
  return c;
}

struct Result {
  Vector losses, grad;
};

Result on_cpu(const Case& c, const ParallelFor& parallel_for) {
  Result result = {Vector(5, -7), Vector(c.raw.size(), -7)};
  std::vector<double> scratch(yolox_loss_cpu_scratch(c.op) / 2);
  yolox_loss_cpu(parallel_for, c.op,
                 {c.raw.data(), c.labels.data(), c.matched_gt.data(), c.matched_iou.data(), c.num_fg.data()},
                 {result.losses.data(), result.grad.data()}, reinterpret_cast<float*>(scratch.data()));
  return result;
}

Result on_cuda(Checker& checker, const Case& c, const char* timing) {
  const YoloxLossInputs in = {checker.upload(c.raw), checker.upload(c.labels), checker.upload(c.matched_gt),
                              checker.upload(c.matched_iou), checker.upload(c.num_fg)};
  const YoloxLossOutputs out = {checker.device<float>(5), checker.device<float>(c.raw.size())};
  float* scratch = checker.device<float>(yolox_loss_cuda_scratch(c.op));
  Launcher& launch = checker.launcher("yolox_loss");
  const auto work = [&] { yolox_loss_cuda(launch, c.op, in, out, scratch); };
  if (timing) {
    checker.time(timing, sizeof(float) * static_cast<double>(c.raw.size()), work);
  } else {
    work();
  }
  return {checker.download(out.losses, 5), checker.download(out.grad, c.raw.size())};
}

void compare(Checker& checker, const std::string& name, const Case& c, const char* timing = nullptr) {
  const Result result = on_cpu(c, serial_for);
  const Result threaded = on_cpu(c, checker.parallel_for());
  checker.expect_equal(name + ": threads, losses", result.losses, threaded.losses);
  checker.expect_equal(name + ": threads, gradient", result.grad, threaded.grad);
  if (!checker.has_device()) return;
  const Result cuda = on_cuda(checker, c, timing);
  checker.expect_near(name + ": CUDA, losses", result.losses, cuda.losses);
  checker.expect_near(name + ": CUDA, gradient", result.grad, cuda.grad, 1e-5, 1e-6);
}

}  // namespace

YOLOX_CHECK(yolox_loss) {
  for (bool use_l1 : {false, true}) {
    const std::string options = std::string(use_l1 ? ", L1" : "");
    const auto make = [&](int batch, int rows, int classes, int height, int width, float limit, float density) {
      return random_case(checker, {batch, rows, classes, use_l1, {}}, height, width, limit, density);
    };
    compare(checker, "some matched" + options, make(2, 5, 3, 64, 96, 2, 0.2f));
    compare(checker, "all matched" + options, make(1, 9, 1, 32, 64, 2, 1));
    compare(checker, "none matched" + options, make(3, 2, 4, 32, 32, 2, 0));
    compare(checker, "more classes than a block" + options, make(1, 3, 300, 32, 32, 3, 0.3f));
    compare(checker, "no classes" + options, make(1, 3, 0, 32, 32, 3, 0.3f));
    compare(checker, "no labels" + options, make(2, 0, 3, 32, 32, 2, 0));
    compare(checker, "no images" + options, make(0, 4, 3, 32, 32, 2, 0));
    Case wide = make(2, 5, 3, 64, 64, 1e30f, 0.5f);
    compare(checker, "large outputs" + options, wide);
    for (const Vector& v : {on_cpu(wide, serial_for).losses, on_cpu(wide, serial_for).grad}) {
      bool finite = true;
      for (float x : v) finite = finite && std::isfinite(x);
      checker.expect("large outputs" + options + ": finite", finite);
    }
    // Rows beyond the labels are background, classes beyond C no target.
    Case foreign = make(2, 5, 3, 64, 64, 2, 0.5f);
    const float rows[] = {5, 1e9f, -2, NAN, INFINITY};
    for (size_t i = 0; i < foreign.matched_gt.size(); i += 3) foreign.matched_gt[i] = rows[i % 5];
    for (size_t i = 0; i < foreign.labels.size(); i += 15) foreign.labels[i] = rows[i % 5];
    compare(checker, "foreign rows and classes" + options, foreign);
    Case broken = make(1, 5, 3, 64, 64, 2, 0.5f);
    for (size_t i = 0; i < broken.raw.size(); i += 11) broken.raw[i] = NAN;
    compare(checker, "not a number" + options, broken);
  }
  if (!checker.has_device()) return;
  compare(checker, "batch 8", random_case(checker, {8, 20, 80, true, false, {}}, 640, 640, 3, 0.02f),
          "640² batch 8, 80 classes");
}

}  // namespace yolox
