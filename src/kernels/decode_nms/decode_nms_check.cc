// Random heads of several sizes: class-aware and agnostic, few and many candidates, NaN among the logits.
#include <cmath>

#include "decode_nms/decode_nms.h"
#include "native/check.h"

namespace yolox {
namespace {

using Vector = std::vector<float>;

struct Case {
  DecodeNms op;
  Vector raw;
};

Case random_case(Checker& checker, int batch, int side, int classes, float low, float high) {
  Case c{};
  for (int stride : {8, 16, 32}) add_level(&c.op.anchors, side, side, stride);
  c.op.batch = batch;
  c.op.classes = classes;
  c.op.confidence = 0.2f;
  c.op.iou = 0.5f;
  c.op.candidates = c.op.anchors.count;
  c.op.detections = 100;
  c.raw = checker.uniform(static_cast<size_t>(batch) * c.op.anchors.count * c.op.row(), low, high);
  return c;
}

struct Result {
  Vector boxes, objectness, probability, classes, count;

  explicit Result(const DecodeNms& op) {
    const size_t rows = static_cast<size_t>(op.batch) * op.detections;
    boxes.assign(4 * rows, -7);
    objectness = probability = classes = Vector(rows, -7);
    count.assign(op.batch, -7);
  }
};

Result on_cpu(const Case& c, const ParallelFor& parallel_for) {
  Result r(c.op);
  std::vector<CornerBox> scratch(decode_nms_cpu_scratch(c.op) * sizeof(float) / sizeof(CornerBox) + 1);
  decode_nms_cpu(parallel_for, c.op, c.raw.data(),
                 {r.boxes.data(), r.objectness.data(), r.probability.data(), r.classes.data(), r.count.data()},
                 scratch.data());
  return r;
}

Result on_cuda(Checker& checker, const Case& c, const char* timing) {
  Result r(c.op);
  const Detections out = {checker.upload(r.boxes), checker.upload(r.objectness), checker.upload(r.probability),
                          checker.upload(r.classes), checker.upload(r.count)};
  const float* raw = checker.upload(c.raw);
  CornerBox* scratch = checker.device<CornerBox>(decode_nms_cuda_scratch(c.op) * sizeof(float) / sizeof(CornerBox) + 1);
  Launcher& launch = checker.launcher("decode_nms");
  const auto work = [&] { decode_nms_cuda(launch, c.op, raw, out, scratch); };
  if (timing) {
    checker.time(timing, sizeof(float) * static_cast<double>(c.raw.size()), work);
  } else {
    work();
  }
  r.boxes = checker.download(out.boxes, r.boxes.size());
  r.objectness = checker.download(out.objectness, r.objectness.size());
  r.probability = checker.download(out.probability, r.probability.size());
  r.classes = checker.download(out.classes, r.classes.size());
  r.count = checker.download(out.count, r.count.size());
  return r;
}

void compare(Checker& checker, const std::string& name, const Case& c, const char* timing = nullptr) {
  const Result cpu = on_cpu(c, serial_for);
  const Result threaded = on_cpu(c, checker.parallel_for());
  checker.expect_equal(name + ": threads, boxes", cpu.boxes, threaded.boxes);
  checker.expect_equal(name + ": threads, count", cpu.count, threaded.count);
  for (float count : cpu.count) checker.expect(name + ": count", count >= 0 && count <= c.op.detections);
  if (!checker.has_device()) return;
  const Result cuda = on_cuda(checker, c, timing);
  checker.expect_equal(name + ": CUDA, count", cpu.count, cuda.count);
  checker.expect_equal(name + ": CUDA, classes", cpu.classes, cuda.classes);
  checker.expect_near(name + ": CUDA, boxes", cpu.boxes, cuda.boxes, 1e-4, 1e-4);
  checker.expect_near(name + ": CUDA, objectness", cpu.objectness, cuda.objectness);
  checker.expect_near(name + ": CUDA, probability", cpu.probability, cuda.probability);
}

}  // namespace

YOLOX_CHECK(decode_nms) {
  for (bool agnostic : {false, true}) {
    const std::string name = agnostic ? "agnostic" : "by class";
    Case c = random_case(checker, 3, 64, 5, -2, 2);
    c.op.agnostic = agnostic;
    compare(checker, name, c);
    c.op.candidates = 20;
    compare(checker, name + ", 20 candidates", c);
    c.op.detections = 7;
    compare(checker, name + ", 7 detections", c);
    c.op.candidates = c.op.anchors.count;
    for (size_t i = 0; i < c.raw.size(); i += 11) c.raw[i] = i % 2 ? NAN : INFINITY;
    // Infinite boxes have neither area nor place, and their scores are equal.
    compare(checker, name + ", not finite", c);
    Case equal = random_case(checker, 1, 96, 3, 0.5f, 0.5001f);
    equal.op.agnostic = agnostic;
    for (float& value : equal.raw) value = 0.5f;
    compare(checker, name + ", equal scores", equal);
  }
  compare(checker, "one class", random_case(checker, 1, 64, 1, -1, 3));
  compare(checker, "many classes", random_case(checker, 1, 32, 300, -3, 3));
  compare(checker, "nothing found", random_case(checker, 2, 32, 4, -9, -5));
  compare(checker, "no images", random_case(checker, 0, 32, 4, -1, 1));
  Case typical = random_case(checker, 1, 640, 80, -6, 1);
  typical.op.confidence = 0.3f;
  compare(checker, "640²", typical, "decode and NMS, 640², 80 classes");
}

}  // namespace yolox
