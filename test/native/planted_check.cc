// Runs every kernel of planted.cu in each thread order and compares what the emulator reports with what was planted.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "emulation/emulator.h"
#include "emulation/memory.h"

namespace yolox::emulation {
namespace {

constexpr unsigned kThreads = 64, kBlocks = 2;

// Launches with `Arguments` and downloads `outputs` values of y; returns what was reported.
class Case {
 public:
  explicit Case(const char* name) : name_(name) {}
  ~Case() { release_all(); }

  template <typename... Arguments>
  std::string run(unsigned blocks, Arguments... arguments) {
    void* pointers[] = {&arguments..., nullptr};
    const int codes[] = {argument_code<Arguments>()..., 0};
    return launch(*find_kernel("planted", name_), {blocks}, {kThreads}, 0, pointers, codes);
  }

 private:
  const char* name_;
};

float* values(size_t count) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = 1.0f / (i + 1);
  void* memory = allocate(count * sizeof(float));
  copy_in(memory, values.data(), count * sizeof(float));
  return static_cast<float*>(memory);
}

template <typename T = float>
T* unwritten(size_t count) {
  return static_cast<T*>(allocate(count * sizeof(T)));
}

template <typename T>
T* zeros(size_t count) {
  T* memory = unwritten<T>(count);
  fill_zero(memory, count * sizeof(T));
  return memory;
}

int failures = 0;

// `expected` must stand in the report; where it is empty, nothing may be reported.
void expect(const char* name, const char* expected, const std::string& report) {
  const bool found = *expected ? report.find(expected) != std::string::npos : report.empty();
  printf("%s %s: %s\n", found ? "ok" : "FAILED", name, report.empty() ? "nothing reported" : report.c_str());
  failures += !found;
}

void run_cases() {
  const auto y_only = [](const char* name, const char* expected, unsigned blocks = 1) {
    expect(name, expected, Case(name).run(blocks, unwritten(kThreads)));
  };
  const auto x_and_y = [](const char* name, const char* expected) {
    expect(name, expected, Case(name).run(1, (const float*)values(kThreads), unwritten(kThreads)));
  };
  expect("out_of_range", "reads 4 bytes out of range, at byte",
         Case("out_of_range").run(kBlocks, (const float*)values(100), unwritten(256), 100));
  y_only("write_out_of_range", "writes 4 bytes out of range, at byte 256 of an allocation of 256 bytes");
  const float on_host = 1;
  expect("host_pointer", "outside device memory", Case("host_pointer").run(1, &on_host, unwritten(kThreads)));
  y_only("array_index", "array index out of bounds at planted.cu");
  x_and_y("misaligned", "misaligned access at planted.cu");
  y_only("shared_race", "race: writes what");
  x_and_y("missing_barrier", "shared memory");
  x_and_y("missing_second_barrier", "race: ");
  y_only("missing_warp_barrier", "shared memory");
  expect("global_race", "race: reads what thread", Case("global_race").run(1, zeros<float>(kThreads)));
  y_only("block_race", "race: writes what another block writes", kBlocks);
  float* both = values(kBlocks);
  expect("block_read_race", "what another block ", Case("block_read_race").run(kBlocks, (const float*)both, both));
  expect("atomic_and_plain", "race: writes what", Case("atomic_and_plain").run(1, zeros<int>(1)));
  expect("early_read", "race: ", Case("early_read").run(kBlocks, zeros<int>(1), unwritten(kBlocks)));
  y_only("unwritten_shared", "reads memory that nothing has written, in shared memory");
  expect("unwritten_global", "reads memory that nothing has written",
         Case("unwritten_global").run(1, (const float*)unwritten(kThreads), unwritten(kThreads)));
  y_only("barrier_skipped", "divergent barrier");
  y_only("barriers_differ", "divergent barrier");
  y_only("divergent_shuffle", "divergent warp");
  y_only("shuffle_from_nobody", "which does not take part");
  expect("good_sum", "", Case("good_sum").run(1, (const float*)values(100), unwritten(1), 100));
  expect("wrong_argument", "argument 2 does not have the parameter's type",
         Case("good_sum").run(1, (const float*)values(100), unwritten(1), int64_t{100}));
  expect("missing_argument", "argument 2 does not have the parameter's type",
         Case("good_sum").run(1, (const float*)values(100), unwritten(1)));
  y_only("good_warp_exchange", "");
  expect("good_bytes", "", Case("good_bytes").run(1, zeros<uint8_t>(kThreads)));
  expect("good_count", "", Case("good_count").run(kBlocks, (const float*)values(kThreads), zeros<int>(2)));
}

// What only shows after the launch.
void run_downloads() {
  std::vector<float> y(kThreads);
  float* memory = unwritten(kThreads);
  Case output("unwritten_output");
  output.run(1, memory);
  expect("unwritten_output", "the host reads memory that nothing has written, at byte 20",
         copy_out(y.data(), memory, kThreads * sizeof(float)));
}

float order_dependent_sum() {
  float* sum = zeros<float>(1);
  Case order("order_dependent");
  order.run(1, (const float*)values(kThreads), sum);
  float result = 0;
  copy_out(&result, sum, sizeof(result));
  return result;
}

}  // namespace
}  // namespace yolox::emulation

int main() {
  using namespace yolox::emulation;
  std::vector<float> sums;
  for (Schedule schedule : {Schedule::kForward, Schedule::kReverse, Schedule::kShuffled}) {
    set_schedule(schedule);
    run_cases();
    run_downloads();
    sums.push_back(order_dependent_sum());
  }
  const bool differ = sums[0] != sums[1] || sums[0] != sums[2];
  expect("order_dependent", "differs", differ ? "the sum differs between thread orders" : "");
  return failures > 0;
}
