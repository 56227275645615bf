// The checks of the CPU kernels alone, for a build with sanitizers: npx tsx test/native/run.ts host [stem …]
#include <stdexcept>

#include "native/check.h"

namespace yolox {
namespace {

class HostChecker : public Checker {
 public:
  const ParallelFor& parallel_for() override { return checking_threads(); }
  bool has_device() const override { return false; }
  Launcher& launcher(const char*) override { throw std::logic_error("there is no device"); }
  void time(const std::string&, double, const std::function<void()>& work) override { work(); }

 protected:
  void* allocate(size_t) override { throw std::logic_error("there is no device"); }
  void copy_to_device(void*, const void*, size_t) override {}
  void copy_to_host(void*, const void*, size_t) override {}
};

}  // namespace
}  // namespace yolox

int main(int argc, char** argv) {
  return yolox::run_checks({argv + 1, argv + argc}, [] { return std::make_unique<yolox::HostChecker>(); });
}
