// YoloxFocus: x [N,H,W,C] → y [N,H/2,W/2,4C].
#include "focus/focus.h"
#include "native/cuda_launcher.h"
#include "native/op.h"

namespace yolox {
namespace {

template <Device kDevice>
class FocusOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* ctx) override {
    const Tensor& x = ctx->input(0);
    OP_REQUIRES(ctx, x.dims() == 4 && x.dim_size(1) % 2 == 0 && x.dim_size(2) % 2 == 0,
                shape_error("YoloxFocus", "x", "[N,H,W,C] with even H and W", x));
    const FocusShape shape{x.dim_size(0), x.dim_size(1), x.dim_size(2), x.dim_size(3)};
    Tensor* y = allocate_output(ctx, 0, {shape.batch, shape.height / 2, shape.width / 2, 4 * shape.channels});
    if (!y || y->NumElements() == 0) return;
    if constexpr (kDevice == Device::kCpu) {
      focus_cpu(parallel_for(), shape, floats(x), floats(y));
    } else {
      CudaLauncher launch(ctx, "focus");
      focus_cuda(launch, shape, floats(x), floats(y));
      ctx->SetStatus(launch.status());
    }
  }
};

REGISTER_OP("YoloxFocus").Input("x: float").Output("y: float");
REGISTER_KERNEL_BUILDER(Name("YoloxFocus").Device(DEVICE_CPU), FocusOp<Device::kCpu>);
REGISTER_KERNEL_BUILDER(Name("YoloxFocus").Device(DEVICE_GPU), FocusOp<Device::kGpu>);

}  // namespace
}  // namespace yolox
