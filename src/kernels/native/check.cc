#include "native/check.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <thread>

namespace yolox {
namespace {

// Of many wrong values the first few say what is wrong.
constexpr size_t kShownDifferences = 3, kShownFailures = 10;
constexpr int kThreads = 3;

std::string number(double value) {
  char text[32];
  snprintf(text, sizeof(text), "%.9g", value);
  return text;
}

// "" or what differs, where two equally long lists are expected to agree value by value.
template <typename Agree>
std::string differences(const std::vector<float>& a, const std::vector<float>& b, Agree agree) {
  if (a.size() != b.size()) {
    return "expected " + std::to_string(a.size()) + " values, received " + std::to_string(b.size());
  }
  size_t count = 0;
  std::string shown;
  for (size_t i = 0; i < a.size(); ++i) {
    if (agree(a[i], b[i])) continue;
    if (count++ < kShownDifferences) {
      shown += ", [" + std::to_string(i) + "] expected " + number(a[i]) + ", received " + number(b[i]);
    }
  }
  if (count == 0) return "";
  return std::to_string(count) + " of " + std::to_string(a.size()) + " values differ" + shown;
}

}  // namespace

std::vector<float> Checker::uniform(size_t count, float low, float high) {
  std::uniform_real_distribution<float> distribution(low, high);
  std::vector<float> values(count);
  for (float& value : values) value = distribution(random_);
  return values;
}

void Checker::expect_near(const std::string& what, const std::vector<float>& a, const std::vector<float>& b,
                          double relative, double absolute) {
  const auto agree = [&](float x, float y) {
    if (std::isnan(x) || std::isnan(y)) return std::isnan(x) && std::isnan(y);
    return x == y || std::abs(double{x} - y) <= absolute + relative * std::abs(double{x});
  };
  const std::string wrong = differences(a, b, agree);
  if (!wrong.empty()) failures_.push_back(what + ": " + wrong);
}

void Checker::expect_equal(const std::string& what, const std::vector<float>& a, const std::vector<float>& b) {
  const auto agree = [](float x, float y) { return x == y || (std::isnan(x) && std::isnan(y)); };
  const std::string wrong = differences(a, b, agree);
  if (!wrong.empty()) failures_.push_back(what + ": " + wrong);
}

void Checker::expect(const std::string& what, bool holds) {
  if (!holds) failures_.push_back(what);
}

std::vector<Check>& checks() {
  static std::vector<Check> all;
  return all;
}

int run_checks(const std::vector<std::string>& stems, const std::function<std::unique_ptr<Checker>()>& make_checker) {
  std::sort(checks().begin(), checks().end(),
            [](const Check& a, const Check& b) { return strcmp(a.stem, b.stem) < 0; });
  for (const std::string& stem : stems) {
    const auto known = [&](const Check& check) { return stem == check.stem; };
    if (std::any_of(checks().begin(), checks().end(), known)) continue;
    fprintf(stderr, "expected the name of a check, received %s\n", stem.c_str());
    return 2;
  }
  bool failed = false;
  for (const Check& check : checks()) {
    if (!stems.empty() && std::find(stems.begin(), stems.end(), check.stem) == stems.end()) continue;
    const std::unique_ptr<Checker> checker = make_checker();
    check.run(*checker);
    const std::vector<std::string>& failures = checker->failures();
    for (size_t i = 0; i < std::min(failures.size(), kShownFailures); ++i) {
      fprintf(stderr, "failed: %s: %s\n", check.stem, failures[i].c_str());
    }
    if (failures.size() > kShownFailures) fprintf(stderr, "and %zu more\n", failures.size() - kShownFailures);
    if (failures.empty()) fprintf(stderr, "passed: %s\n", check.stem);
    failed |= !failures.empty();
  }
  return failed ? 1 : 0;
}

const ParallelFor& checking_threads() {
  static const ParallelFor on_threads = [](int64_t count, const std::function<void(int64_t, int64_t)>& body) {
    std::atomic<int64_t> next{0};
    const auto work = [&] {
      for (int64_t i; (i = next.fetch_add(1)) < count;) body(i, i + 1);
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < std::min<int64_t>(kThreads, count); ++i) threads.emplace_back(work);
    for (std::thread& thread : threads) thread.join();
  };
  return on_threads;
}

}  // namespace yolox
