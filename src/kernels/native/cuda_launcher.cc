#include "native/cuda_launcher.h"

#include "native/cuda_driver.h"
#include "xla/stream_executor/stream.h"

namespace yolox {

CudaLauncher::CudaLauncher(OpKernelContext* ctx, const char* stem)
    : stem_(stem), stream_(ctx->op_device_context()->stream()->platform_specific_handle().stream) {}

void CudaLauncher::zero(void* memory, uint64_t bytes) {
  if (!status_.ok()) return;
  const std::string error = cuda_zero(memory, bytes, stream_);
  if (!error.empty()) status_ = absl::InternalError(error);
}

void CudaLauncher::launch(const char* name, Dim grid, Dim block, unsigned shared_bytes, void** arguments, const int*) {
  if (!status_.ok()) return;
  const std::string error = cuda_launch(stem_, name, grid, block, shared_bytes, stream_, arguments);
  if (!error.empty()) status_ = absl::InternalError(error);
}

}  // namespace yolox
