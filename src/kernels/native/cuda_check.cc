// The stand-alone GPU test: runs every op's check on a card, through the driver and the compiled kernels alone, and
// times the kernels. Built and run by scripts/cuda_check.mjs:
//   cuda_check [--json] KERNEL_DIRECTORY [stem …]
// Exit codes: 0 all passed, 1 some failed, 2 wrong usage, 3 no card to run on.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "native/check.h"
#include "native/cuda_driver.h"

namespace yolox {
namespace {

constexpr int kNoCard = 3;
// A measurement repeats the work for about so long.
constexpr double kMeasuredMilliseconds = 100;
constexpr int kMostRepeats = 500;

struct Timing {
  std::string what;
  double milliseconds, gigabytes_per_second;
};
std::vector<Timing> timings;

class DriverLauncher : public Launcher {
 public:
  DriverLauncher(Checker& checker, std::string stem) : checker_(checker), stem_(std::move(stem)) {}

  void zero(void* memory, uint64_t bytes) override { record(cuda_zero(memory, bytes, nullptr)); }

 protected:
  void launch(const char* name, Dim grid, Dim block, unsigned shared_bytes, void** arguments, const int*) override {
    if (!failed_) record(cuda_launch(stem_.c_str(), name, grid, block, shared_bytes, nullptr, arguments));
  }

 private:
  void record(const std::string& error) {
    if (error.empty() || failed_) return;
    failed_ = true;
    checker_.expect(error, false);
  }

  Checker& checker_;
  std::string stem_;
  bool failed_ = false;
};

class CardChecker : public Checker {
 public:
  explicit CardChecker(const CudaDriver& driver) : driver_(driver) {}
  ~CardChecker() override {
    for (CudaDriver::Pointer memory : memory_) driver_.memory_free(memory);
  }

  const ParallelFor& parallel_for() override { return checking_threads(); }
  bool has_device() const override { return true; }
  Launcher& launcher(const char* stem) override {
    launchers_.push_back(std::make_unique<DriverLauncher>(*this, stem));
    return *launchers_.back();
  }

  void time(const std::string& what, double bytes, const std::function<void()>& work) override {
    measure(what, work, 1);
    const double once = measure(what, work, 1);
    const int repeats = static_cast<int>(std::clamp<double>(kMeasuredMilliseconds / once, 1, kMostRepeats));
    const double milliseconds = measure(what, work, repeats) / repeats;
    const double rate = milliseconds > 0 ? bytes / milliseconds * 1e-6 : 0;
    timings.push_back({what, milliseconds, rate});
    fprintf(stderr, "  %-56s %9.4f ms %8.1f GB/s\n", what.c_str(), milliseconds, rate);
  }

 protected:
  void* allocate(size_t bytes) override {
    CudaDriver::Pointer memory = 0;
    // The driver allocates nothing of size 0.
    bytes = std::max<size_t>(bytes, 1);
    require("cuMemAlloc of " + std::to_string(bytes) + " bytes", driver_.memory_allocate(&memory, bytes));
    // NaN as float, so that what a kernel reads undefined shows.
    if (memory) require("cuMemsetD8Async", driver_.set_bytes(memory, 0xff, bytes, nullptr));
    memory_.push_back(memory);
    return reinterpret_cast<void*>(memory);
  }
  void copy_to_device(void* to, const void* from, size_t bytes) override {
    if (bytes > 0)
      require("cuMemcpyHtoD", driver_.copy_to_device(reinterpret_cast<CudaDriver::Pointer>(to), from, bytes));
  }
  void copy_to_host(void* to, const void* from, size_t bytes) override {
    // A kernel's own failure first shows here.
    require("the kernels before a download", driver_.context_synchronize());
    if (bytes > 0)
      require("cuMemcpyDtoH", driver_.copy_to_host(to, reinterpret_cast<CudaDriver::Pointer>(from), bytes));
  }

 private:
  // Milliseconds that the card is busy with so many repetitions.
  double measure(const std::string& what, const std::function<void()>& work, int repeats) {
    for (void*& event : events_) {
      if (!event) require("cuEventCreate", driver_.event_create(&event, 0));
    }
    require("cuEventRecord", driver_.event_record(events_[0], nullptr));
    for (int i = 0; i < repeats; ++i) work();
    require("cuEventRecord", driver_.event_record(events_[1], nullptr));
    require(what, driver_.event_synchronize(events_[1]));
    float milliseconds = 0;
    require("cuEventElapsedTime", driver_.event_elapsed_time(&milliseconds, events_[0], events_[1]));
    return milliseconds;
  }

  void require(const std::string& call, CudaDriver::Result result) {
    if (result != 0) expect(driver_.explain(call, result), false);
  }

  const CudaDriver& driver_;
  void* events_[2] = {};
  std::vector<CudaDriver::Pointer> memory_;
  std::vector<std::unique_ptr<DriverLauncher>> launchers_;
};

// Makes the first card current; its name, or nothing with the reason in `error`.
std::string open_card(const CudaDriver& driver, std::string* error) {
  int count = 0;
  *error = driver.explain("cuDeviceGetCount", driver.device_get_count(&count));
  if (error->empty() && count == 0) *error = "the NVIDIA driver finds no card";
  if (!error->empty()) return "";
  CudaDriver::Device device = 0;
  void* context = nullptr;
  char name[256] = "";
  driver.device_get(&device, 0);
  driver.device_get_name(name, sizeof(name), device);
  *error = driver.explain("cuDevicePrimaryCtxRetain", driver.primary_context_retain(&context, device));
  if (error->empty()) *error = driver.explain("cuCtxSetCurrent", driver.context_set_current(context));
  return name;
}

// Text of ours and of the driver's: quotes and backslashes are all that could break it.
std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + "\"";
}

void print_json(const std::string& card, int code) {
  printf("{\"card\":%s,\"passed\":%s,\"timings\":[", quoted(card).c_str(), code == 0 ? "true" : "false");
  for (const Timing& each : timings) {
    printf("%s{\"what\":%s,\"milliseconds\":%.6g,\"gigabytesPerSecond\":%.6g}", &each == timings.data() ? "" : ",",
           quoted(each.what).c_str(), each.milliseconds, each.gigabytes_per_second);
  }
  printf("]}\n");
}

int run(std::vector<std::string> arguments) {
  const auto flag = std::find(arguments.begin(), arguments.end(), "--json");
  const bool json = flag != arguments.end();
  if (json) arguments.erase(flag);
  if (arguments.empty()) {
    fprintf(stderr, "usage: cuda_check [--json] KERNEL_DIRECTORY [stem …]\n");
    return 2;
  }
  set_kernel_directory(arguments.front());
  arguments.erase(arguments.begin());
  std::string error, card;
  const CudaDriver* driver = cuda_driver(&error);
  if (driver) card = open_card(*driver, &error);
  if (!error.empty()) {
    fprintf(stderr, "cuda-check: no card to run on: %s\n", error.c_str());
    return kNoCard;
  }
  fprintf(stderr, "%s\n", card.c_str());
  const int code = run_checks(arguments, [&] { return std::make_unique<CardChecker>(*driver); });
  if (json) print_json(card, code);
  return code;
}

}  // namespace
}  // namespace yolox

int main(int argc, char** argv) { return yolox::run({argv + 1, argv + argc}); }
