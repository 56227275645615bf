// Holds an op's CPU kernel against itself on any number of threads, and its CUDA kernels against the CPU kernel, on
// random cases. One <op>_check.cc serves three programs: the CPU kernels under sanitizers, the CUDA kernels under
// emulation, and cuda-check, which runs and times them on a card.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "native/launcher.h"
#include "native/parallel.h"

namespace yolox {

class Checker {
 public:
  virtual ~Checker() = default;

  std::mt19937& random() { return random_; }
  // count values from [low, high).
  std::vector<float> uniform(size_t count, float low, float high);

  // Threads that really run at once; serial_for (native/parallel.h) is the other end to compare with.
  virtual const ParallelFor& parallel_for() = 0;

  // Whether there is something to run CUDA kernels on; where not, a check ends after its CPU part.
  virtual bool has_device() const = 0;
  virtual Launcher& launcher(const char* stem) = 0;

  // Device memory, freed when the check ends. It starts undefined; reading it undefined is an error in emulation.
  template <typename T>
  T* device(size_t count) {
    return static_cast<T*>(allocate(count * sizeof(T)));
  }
  template <typename T>
  T* upload(const std::vector<T>& values) {
    T* memory = device<T>(values.size());
    copy_to_device(memory, values.data(), values.size() * sizeof(T));
    return memory;
  }
  template <typename T>
  std::vector<T> download(const T* memory, size_t count) {
    std::vector<T> values(count);
    copy_to_host(values.data(), memory, count * sizeof(T));
    return values;
  }

  // Record a failure unless |a − b| ≤ absolute + relative·|a| everywhere (NaN matches NaN), or the values are equal.
  void expect_near(const std::string& what, const std::vector<float>& a, const std::vector<float>& b,
                   double relative = 1e-5, double absolute = 1e-6);
  void expect_equal(const std::string& what, const std::vector<float>& a, const std::vector<float>& b);
  void expect(const std::string& what, bool holds);

  // On a card: times `work` (launches only) and reports it with the bandwidth `bytes` makes. Elsewhere: runs it once.
  virtual void time(const std::string& what, double bytes, const std::function<void()>& work) = 0;

  const std::vector<std::string>& failures() const { return failures_; }

 protected:
  virtual void* allocate(size_t bytes) = 0;
  virtual void copy_to_device(void* to, const void* from, size_t bytes) = 0;
  virtual void copy_to_host(void* to, const void* from, size_t bytes) = 0;

 private:
  std::mt19937 random_{1};
  std::vector<std::string> failures_;
};

struct Check {
  const char* stem;
  void (*run)(Checker&);
};

// All checks linked into the program.
std::vector<Check>& checks();

// Runs those with the given stems, or all, each with a checker of its own, and prints a line for each failure.
// Returns the program's exit code: 0, 1 where something failed, 2 where a stem has no check.
int run_checks(const std::vector<std::string>& stems, const std::function<std::unique_ptr<Checker>()>& make_checker);

// A ParallelFor on threads of its own, more of them than ranges are handed out in order.
const ParallelFor& checking_threads();

// In <op>_check.cc: YOLOX_CHECK(stem) { … uses `checker` … }
#define YOLOX_CHECK(stem)                               \
  static void stem##_check(::yolox::Checker& checker);  \
  static const bool stem##_check_known = [] {           \
    ::yolox::checks().push_back({#stem, stem##_check}); \
    return true;                                        \
  }();                                                  \
  static void stem##_check(::yolox::Checker& checker)

}  // namespace yolox
