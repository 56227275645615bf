// The checks with CUDA kernels emulated, once for each order of threads: npx tsx test/native/run.ts emulation [stem …]
#include <cstdio>
#include <cstring>
#include <map>

#include "emulation/emulator.h"
#include "emulation/memory.h"
#include "native/check.h"

namespace yolox {
namespace {

// What a check downloaded under the first order; no other order may give anything else.
using Downloads = std::vector<std::vector<char>>;

class EmulatedLauncher : public Launcher {
 public:
  EmulatedLauncher(Checker& checker, std::string stem) : checker_(checker), stem_(std::move(stem)) {}

  void zero(void* memory, uint64_t bytes) override { record(emulation::fill_zero(memory, bytes)); }

 protected:
  void launch(const char* name, Dim grid, Dim block, unsigned shared_bytes, void** arguments,
              const int* codes) override {
    if (failed_) return;
    const emulation::Kernel* kernel = emulation::find_kernel(stem_, name);
    if (!kernel) return record(stem_ + ".cu has no kernel " + name);
    record(emulation::launch(*kernel, grid, block, shared_bytes, arguments, codes));
  }

 private:
  void record(const std::string& wrong) {
    if (wrong.empty() || failed_) return;
    failed_ = true;
    checker_.expect(wrong, false);
  }

  Checker& checker_;
  std::string stem_;
  bool failed_ = false;
};

class EmulationChecker : public Checker {
 public:
  EmulationChecker(Downloads& first, bool compare) : first_(first), compare_(compare) {}
  ~EmulationChecker() override { emulation::release_all(); }

  const ParallelFor& parallel_for() override { return checking_threads(); }
  bool has_device() const override { return true; }
  Launcher& launcher(const char* stem) override {
    launchers_.push_back(std::make_unique<EmulatedLauncher>(*this, stem));
    return *launchers_.back();
  }
  void time(const std::string&, double, const std::function<void()>& work) override { work(); }

 protected:
  void* allocate(size_t bytes) override { return emulation::allocate(bytes); }
  void copy_to_device(void* to, const void* from, size_t bytes) override {
    const std::string wrong = emulation::copy_in(to, from, bytes);
    expect(wrong, wrong.empty());
  }
  void copy_to_host(void* to, const void* from, size_t bytes) override {
    const std::string wrong = emulation::copy_out(to, from, bytes);
    expect(wrong, wrong.empty());
    const char* begin = static_cast<const char*>(to);
    if (!compare_)
      first_.emplace_back(begin, begin + bytes);
    else
      expect_as_before(begin, bytes);
  }

 private:
  void expect_as_before(const char* begin, size_t bytes) {
    const size_t i = downloads_++;
    if (i < first_.size() && first_[i].size() == bytes && memcmp(first_[i].data(), begin, bytes) == 0) return;
    expect("download " + std::to_string(i) + " depends on the order in which threads and blocks run", false);
  }

  Downloads& first_;
  bool compare_;
  size_t downloads_ = 0;
  std::vector<std::unique_ptr<EmulatedLauncher>> launchers_;
};

int run_all(const std::vector<std::string>& stems) {
  std::vector<Downloads> first(checks().size());
  int worst = 0;
  for (const auto& [schedule, name] :
       {std::pair(emulation::Schedule::kForward, "in order"), std::pair(emulation::Schedule::kReverse, "reversed"),
        std::pair(emulation::Schedule::kShuffled, "shuffled")}) {
    fprintf(stderr, "threads %s\n", name);
    emulation::set_schedule(schedule);
    size_t check = 0;
    const bool compare = schedule != emulation::Schedule::kForward;
    worst =
        std::max(worst, run_checks(stems, [&] { return std::make_unique<EmulationChecker>(first[check++], compare); }));
    if (worst > 0) break;
  }
  return worst;
}

}  // namespace
}  // namespace yolox

int main(int argc, char** argv) { return yolox::run_all({argv + 1, argv + argc}); }
