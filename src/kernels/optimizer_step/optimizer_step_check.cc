// Random tensors, large and tiny, in a flat vector: SGD and Adam, with and without clipping, average and infinities.
#include <cmath>

#include "native/check.h"
#include "optimizer_step/optimizer_step.h"

namespace yolox {
namespace {

using Vector = std::vector<float>;

struct Case {
  std::vector<Vector> gradients;
  std::vector<Segment> segments;
  Vector vectors[4];  // parameters, first, second, average
  StepRule rule{};
  bool averaging = false;

  int64_t size() const { return segments.back().end(); }
};

Case random_case(Checker& checker, const std::vector<int64_t>& sizes, bool adam, float clip, bool averaging) {
  Case c;
  c.averaging = averaging;
  int64_t offset = 0;
  for (int64_t size : sizes) {
    c.gradients.push_back(checker.uniform(size, -1, 1));
    c.segments.push_back({c.gradients.back().data(), offset, size, static_cast<int>(checker.random()() % 2)});
    offset = c.segments.back().end();
  }
  for (int k = 0; k < 4; ++k) {
    c.vectors[k] = checker.uniform(offset, k == 2 ? 0.0f : -1.0f, 1);
    for (const Segment& segment : c.segments)
      for (int64_t i = segment.offset + segment.size; i < segment.end(); ++i) c.vectors[k][i] = 0;
  }
  const bool nesterov = checker.random()() % 2;
  c.rule = {adam,  nesterov, 0.9f, adam ? 0.1f : 1.0f, 0.999f, 0.001f, 1e-8f, 5e-4f, clip, 0.01f, 2, 3,
            0.75f, 0.25f,    0.5f};
  return c;
}

struct Result {
  bool applied;
  std::vector<Vector> vectors;
};

StepBuffers buffers_of(const Case& c, const float* const (&from)[4], float* const (&to)[4]) {
  return {from[0], from[1], c.rule.adam ? from[2] : nullptr, c.averaging ? from[3] : nullptr,
          to[0],   to[1],   c.rule.adam ? to[2] : nullptr,   c.averaging ? to[3] : nullptr};
}

Result on_cpu(const Case& c, const ParallelFor& parallel_for) {
  Result result{false, {4, Vector(c.size(), -7)}};
  const float* from[4];
  float* to[4];
  for (int k = 0; k < 4; ++k) {
    from[k] = c.vectors[k].data();
    to[k] = result.vectors[k].data();
  }
  std::vector<double> scratch(optimizer_step_scratch(c.size(), c.segments.size()) / 2);
  result.applied = optimizer_step_cpu(parallel_for, c.segments.data(), c.segments.size(), c.size(),
                                      buffers_of(c, from, to), c.rule, scratch.data());
  return result;
}

std::vector<Segment> on_device(Checker& checker, const Case& c) {
  std::vector<Segment> segments = c.segments;
  for (size_t i = 0; i < segments.size(); ++i) segments[i].values = checker.upload(c.gradients[i]);
  return segments;
}

Result on_cuda(Checker& checker, const Case& c, const char* timing) {
  Result result;
  const float* from[4];
  float* to[4];
  for (int k = 0; k < 4; ++k) {
    from[k] = checker.upload(c.vectors[k]);
    to[k] = checker.upload(Vector(c.size(), -7));
  }
  const std::vector<Segment> segments = on_device(checker, c);
  double* scratch = checker.device<double>(optimizer_step_scratch(c.size(), segments.size()) / 2);
  float* applied = checker.device<float>(1);
  Launcher& launch = checker.launcher("optimizer_step");
  const auto step = [&] {
    optimizer_step_cuda(launch, segments.data(), segments.size(), c.size(), buffers_of(c, from, to), c.rule, scratch,
                        applied);
  };
  if (timing) {
    checker.time(timing, 7.0 * c.size() * sizeof(float), step);
  } else {
    step();
  }
  result.applied = checker.download(applied, 1)[0] == 1;
  for (float* vector : to) result.vectors.push_back(checker.download(vector, c.size()));
  return result;
}

void compare_step(Checker& checker, const std::string& name, const Case& c, const char* timing = nullptr) {
  const Result result = on_cpu(c, serial_for);
  const Result threaded = on_cpu(c, checker.parallel_for());
  for (int k = 0; k < 4; ++k) checker.expect_equal(name + ": threads", result.vectors[k], threaded.vectors[k]);
  bool finite = true;
  for (const Vector& gradient : c.gradients)
    for (float value : gradient) finite = finite && std::isfinite(value);
  checker.expect(name + ": applied", result.applied == finite);
  if (!finite) checker.expect_equal(name + ": kept", result.vectors[0], c.vectors[0]);
  for (const Segment& segment : c.segments)
    for (int64_t i = segment.offset + segment.size; i < segment.end(); ++i)
      checker.expect(name + ": gaps stay zero", result.vectors[0][i] == 0 && result.vectors[1][i] == 0);
  if (!checker.has_device()) return;
  const Result cuda = on_cuda(checker, c, timing);
  checker.expect(name + ": applied on CUDA", cuda.applied == finite);
  for (int k = 0; k < 4; ++k) checker.expect_near(name + ": CUDA", result.vectors[k], cuda.vectors[k]);
}

void compare_average(Checker& checker, const std::string& name, const Case& c) {
  Vector next(c.size()), threaded(c.size());
  const Vector& old = c.vectors[3];
  const auto average = [&](const ParallelFor& parallel_for, Vector& to) {
    average_step_cpu(parallel_for, c.segments.data(), c.segments.size(), c.size(), old.data(), 0.75f, 0.25f, to.data());
  };
  average(serial_for, next);
  average(checker.parallel_for(), threaded);
  checker.expect_equal(name + ": threads", next, threaded);
  if (!checker.has_device()) return;
  float* to = checker.upload(Vector(c.size(), -7));
  const std::vector<Segment> segments = on_device(checker, c);
  average_step_cuda(checker.launcher("optimizer_step"), segments.data(), segments.size(), checker.upload(old), 0.75f,
                    0.25f, to);
  checker.expect_near(name + ": CUDA", next, checker.download(to, c.size()));
}

// Layers of a small network: filters, and pairs of short vectors. More tensors than one launch takes.
std::vector<int64_t> network_sizes(int layers, int64_t channels) {
  std::vector<int64_t> sizes;
  for (int i = 0; i < layers; ++i) {
    sizes.insert(sizes.end(), {9 * channels * channels, channels, channels});
  }
  return sizes;
}

}  // namespace

YOLOX_CHECK(optimizer_step) {
  const std::vector<std::vector<int64_t>> shapes = {
      {1}, {0, 5}, {16}, {17, 1, 31, 16, 0, 4096}, {5000, 3, 20000}, network_sizes(25, 6)};
  for (size_t s = 0; s < shapes.size(); ++s) {
    for (bool adam : {false, true}) {
      const std::string name = std::string(adam ? "adam" : "sgd") + " of sizes " + std::to_string(s);
      compare_step(checker, name, random_case(checker, shapes[s], adam, 0, true));
      compare_step(checker, name + ", clipped, no average", random_case(checker, shapes[s], adam, 0.1f, false));
      Case broken = random_case(checker, shapes[s], adam, adam ? 0.1f : 0, true);
      broken.gradients.back().back() = s % 2 ? INFINITY : NAN;
      compare_step(checker, name + ", not finite", broken);
    }
    compare_average(checker, "average of sizes " + std::to_string(s), random_case(checker, shapes[s], false, 0, true));
  }
  // A third of YOLOX-S, in as many tensors.
  compare_step(checker, "sgd of many", random_case(checker, network_sizes(78, 64), false, 0, true),
               "SGD and average of 2.9 million parameters");
}

}  // namespace yolox
