// Random images: sparse and crowded ones, boxes beyond the image, twins, rows that are no objects, NaN and
// infinity.
#include "native/check.h"
#include "sim_ota_assign/sim_ota_assign.h"

namespace yolox {
namespace {

using Vector = std::vector<float>;

struct Case {
  SimOta op;
  Vector raw, labels;
};

Case random_case(Checker& checker, int batch, int height, int width, int classes, int rows, bool in_box) {
  Case c{{batch, rows, classes, in_box ? 2.5f : 1.5f, 3, in_box ? 1e5f : 1e6f, in_box, {}}, {}, {}};
  for (int stride : {8, 16, 32}) add_level(&c.op.anchors, height, width, stride);
  c.raw = checker.uniform(static_cast<size_t>(batch) * c.op.anchors.count * c.op.columns(), -2, 1.5f);
  const size_t objects = static_cast<size_t>(batch) * rows;
  for (size_t i = 0; i < objects; i++) {
    const Vector u = checker.uniform(5, 0, 1);
    // Whole numbers of pixels: anchors lie exactly on many a border.
    const float label = std::floor(u[0] * classes * 1.1f), w = 1 + std::floor(u[3] * 64), h = 1 + std::floor(u[4] * 64);
    const Vector row = {label, std::floor(u[1] * 1.2f * width - 10), std::floor(u[2] * 1.2f * height - 10), w, h};
    c.labels.insert(c.labels.end(), row.begin(), row.end());
  }
  for (size_t i = 3; i < objects; i += 4) std::copy_n(&c.labels[5 * i - 5], 5, &c.labels[5 * i]);
  for (size_t i = 4; i < objects; i += 7) std::fill_n(&c.labels[5 * i], 5, 0.0f);
  return c;
}

// Every 11th output and every 13th label isn't a number, or is infinite.
void poison(Case* c) {
  const float values[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f};
  for (size_t i = 0; i < c->raw.size(); i += 11) c->raw[i] = values[i % 5];
  for (size_t i = 0; i < c->labels.size(); i += 13) c->labels[i] = values[i % 5];
}

struct Result {
  Vector matched_gt, matched_iou, num_fg;
};

Result on_cpu(const Case& c, const ParallelFor& parallel_for) {
  const size_t anchors = static_cast<size_t>(c.op.batch) * c.op.anchors.count;
  Result result = {Vector(anchors, -7), Vector(anchors, -7), Vector(1, -7)};
  std::vector<double> scratch(sim_ota_assign_cpu_scratch(c.op) / 2 + 1);
  sim_ota_assign_cpu(parallel_for, c.op, c.raw.data(), c.labels.data(),
                     {result.matched_gt.data(), result.matched_iou.data(), result.num_fg.data()},
                     reinterpret_cast<float*>(scratch.data()));
  return result;
}

Result on_cuda(Checker& checker, const Case& c, const char* timing) {
  const size_t anchors = static_cast<size_t>(c.op.batch) * c.op.anchors.count;
  const SimOtaOutputs out = {checker.device<float>(anchors), checker.device<float>(anchors), checker.device<float>(1)};
  const float* raw = checker.upload(c.raw);
  const float* labels = checker.upload(c.labels);
  float* scratch = checker.device<float>(sim_ota_assign_cuda_scratch(c.op));
  Launcher& launch = checker.launcher("sim_ota_assign");
  const auto work = [&] { sim_ota_assign_cuda(launch, c.op, raw, labels, out, scratch); };
  if (timing) {
    checker.time(timing, 0, work);
  } else {
    work();
  }
  return {checker.download(out.matched_gt, anchors), checker.download(out.matched_iou, anchors),
          checker.download(out.num_fg, 1)};
}

void compare(Checker& checker, const std::string& name, const Case& c, const char* timing = nullptr) {
  const Result result = on_cpu(c, serial_for);
  const Result threaded = on_cpu(c, checker.parallel_for());
  checker.expect_equal(name + ": threads, objects", result.matched_gt, threaded.matched_gt);
  checker.expect_equal(name + ": threads, IoU", result.matched_iou, threaded.matched_iou);
  checker.expect_equal(name + ": threads, matched", result.num_fg, threaded.num_fg);
  float matched = 0;
  for (float row : result.matched_gt) matched += row >= 0;
  checker.expect(name + ": count of matched anchors", matched == result.num_fg[0]);
  if (!checker.has_device()) return;
  const Result cuda = on_cuda(checker, c, timing);
  checker.expect_equal(name + ": CUDA, objects", result.matched_gt, cuda.matched_gt);
  checker.expect_near(name + ": CUDA, IoU", result.matched_iou, cuda.matched_iou);
  checker.expect_equal(name + ": CUDA, matched", result.num_fg, cuda.num_fg);
}

}  // namespace

YOLOX_CHECK(sim_ota_assign) {
  for (bool in_box : {false, true}) {
    const std::string rule = in_box ? " of v0.3" : " of main";
    compare(checker, "sparse" + rule, random_case(checker, 3, 96, 64, 3, 5, in_box));
    compare(checker, "crowded" + rule, random_case(checker, 1, 64, 32, 7, 40, in_box));
    compare(checker, "one class, one cell" + rule, random_case(checker, 2, 32, 32, 1, 1, in_box));
    compare(checker, "more rows than a tile, more classes than a factor" + rule,
            random_case(checker, 1, 32, 64, 90, 300, in_box));
    compare(checker, "no labels" + rule, random_case(checker, 2, 64, 64, 2, 0, in_box));
    compare(checker, "no classes" + rule, random_case(checker, 1, 32, 32, 0, 3, in_box));
    compare(checker, "no images" + rule, random_case(checker, 0, 64, 64, 2, 3, in_box));
    compare(checker, "no anchors" + rule, random_case(checker, 2, 0, 64, 2, 3, in_box));
    Case broken = random_case(checker, 2, 64, 96, 5, 12, in_box);
    poison(&broken);
    compare(checker, "not finite" + rule, broken);
  }
  if (!checker.has_device()) return;
  compare(checker, "batch 8", random_case(checker, 8, 640, 640, 80, 20, false), "640² batch 8, 80 classes, 20 boxes");
}

}  // namespace yolox
