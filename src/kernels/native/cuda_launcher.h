// CUDA kernels on TensorFlow's stream.
#pragma once

#include "native/launcher.h"
#include "native/op.h"

namespace yolox {

class CudaLauncher : public Launcher {
 public:
  // `stem`: the op's folder, whose <stem>.cu set-up has compiled for this card.
  CudaLauncher(OpKernelContext* ctx, const char* stem);

  void zero(void* memory, uint64_t bytes) override;

  // The first failure, naming the kernel; launch errors only, nothing is waited for.
  const absl::Status& status() const { return status_; }

 protected:
  void launch(const char* name, Dim grid, Dim block, unsigned shared_bytes, void** arguments,
              const int* codes) override;

 private:
  const char* stem_;
  void* stream_;
  absl::Status status_;
};

}  // namespace yolox
