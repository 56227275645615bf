#include "concat/concat.h"
#include "native/check.h"

namespace yolox {
namespace {

// Parts of this many channels, numbered through so that every value is told from every other.
void check_parts(Checker& checker, int64_t rows, const std::vector<int64_t>& channels) {
  std::vector<std::vector<float>> sources, targets;
  Parts<const float> from{};
  Parts<float> to{};
  int64_t width = 0;
  for (size_t i = 0; i < channels.size(); ++i) {
    sources.push_back(checker.uniform(rows * channels[i], -1, 1));
    targets.push_back(std::vector<float>(rows * channels[i]));
    from.channels[i] = to.channels[i] = channels[i];
    width += channels[i];
  }
  for (size_t i = 0; i < channels.size(); ++i) {
    from.values[i] = sources[i].data();
    to.values[i] = targets[i].data();
  }
  std::vector<float> whole(rows * width), parallel(rows * width);
  concat_cpu(serial_for, rows, from, whole.data());
  concat_cpu(checker.parallel_for(), rows, from, parallel.data());
  checker.expect_equal("concat on any number of threads", whole, parallel);
  for (const ParallelFor& threads : {ParallelFor(serial_for), checker.parallel_for()}) {
    concat_grad_cpu(threads, rows, whole.data(), to);
    for (size_t i = 0; i < channels.size(); ++i) checker.expect_equal("split after concat", sources[i], targets[i]);
  }
  if (channels.size() > 1 && rows > 0 && channels[0] > 0 && channels[1] > 0) {
    checker.expect("the second part follows the first", whole[channels[0]] == sources[1][0]);
  }
  if (!checker.has_device() || whole.empty()) return;

  for (size_t i = 0; i < channels.size(); ++i) {
    from.values[i] = checker.upload(sources[i]);
    to.values[i] = checker.device<float>(sources[i].size());
  }
  float* device_whole = checker.device<float>(whole.size());
  Launcher& launch = checker.launcher("concat");
  concat_cuda(launch, rows, from, device_whole);
  checker.expect_equal("concat with CUDA", whole, checker.download(device_whole, whole.size()));
  concat_grad_cuda(launch, rows, device_whole, to);
  for (size_t i = 0; i < channels.size(); ++i) {
    checker.expect_equal("split with CUDA", sources[i], checker.download(to.values[i], sources[i].size()));
  }
}

}  // namespace

YOLOX_CHECK(concat) {
  check_parts(checker, 1, {1});
  check_parts(checker, 5, {3, 7});
  check_parts(checker, 17, {4, 8, 100});
  check_parts(checker, 33, {4, 1, 80, 2});
  check_parts(checker, 6, {0, 5});
  check_parts(checker, 0, {4, 4});
  check_parts(checker, 4099, {32, 32});
  if (!checker.has_device()) return;
  const int64_t rows = 4 * 104 * 104;
  float* whole = checker.device<float>(rows * 64);
  Parts<const float> parts{};
  for (int i = 0; i < 2; ++i) {
    parts.channels[i] = 32;
    parts.values[i] = checker.upload(checker.uniform(rows * 32, -1, 1));
  }
  Launcher& launch = checker.launcher("concat");
  checker.time("concat, 104² batch 4, 32 + 32", 8.0 * rows * 64, [&] { concat_cuda(launch, rows, parts, whole); });
}

}  // namespace yolox
