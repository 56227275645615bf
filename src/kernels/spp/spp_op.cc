// YoloxSpp: x [N,H,W,C] → y [N,H,W,4C]: x, then its maxima over 5×5, 9×9 and 13×13; source [N,H,W,3C]: where in
// the image they come from. YoloxSppGrad: dx from dy and source.
#include "spp/spp.h"
#include "native/cuda_launcher.h"
#include "native/op.h"

namespace yolox {
namespace {

TensorShape nhwc(const PoolShape& shape, int times) {
  return {shape.batch, shape.height, shape.width, times * shape.channels};
}

template <Device kDevice>
class SppOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* ctx) override {
    const Tensor& x = ctx->input(0);
    OP_REQUIRES(ctx, x.dims() == 4 && x.dim_size(1) * x.dim_size(2) <= kMaxPositions,
                shape_error("YoloxSpp", "x", "[N,H,W,C] with H·W ≤ 2^24", x));
    const PoolShape shape{x.dim_size(0), x.dim_size(1), x.dim_size(2), x.dim_size(3)};
    Tensor* y = allocate_output(ctx, 0, nhwc(shape, 1 + kPools));
    Tensor* source = allocate_output(ctx, 1, nhwc(shape, kPools));
    if (!y || !source || x.NumElements() == 0) return;
    if constexpr (kDevice == Device::kCpu) {
      spp_cpu(parallel_for(), shape, floats(x), floats(y), floats(source));
    } else {
      CudaLauncher launch(ctx, "spp");
      spp_cuda(launch, shape, floats(x), floats(y), floats(source));
      ctx->SetStatus(launch.status());
    }
  }
};

template <Device kDevice>
class SppGradOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* ctx) override {
    const Tensor& dy = ctx->input(0);
    const Tensor& source = ctx->input(1);
    OP_REQUIRES(ctx, dy.dims() == 4 && dy.dim_size(3) % (1 + kPools) == 0,
                shape_error("YoloxSppGrad", "dy", "[N,H,W,4C]", dy));
    const PoolShape shape{dy.dim_size(0), dy.dim_size(1), dy.dim_size(2), dy.dim_size(3) / (1 + kPools)};
    const TensorShape expected = nhwc(shape, kPools);
    OP_REQUIRES(ctx, source.shape() == expected,
                shape_error("YoloxSppGrad", "source", "[N,H,W,3C] = " + expected.DebugString(), source));
    Tensor* dx = allocate_output(ctx, 0, nhwc(shape, 1));
    if (!dx || dx->NumElements() == 0) return;
    if constexpr (kDevice == Device::kCpu) {
      spp_grad_cpu(parallel_for(), shape, floats(dy), floats(source), floats(dx));
    } else {
      CudaLauncher launch(ctx, "spp");
      spp_grad_cuda(launch, shape, floats(dy), floats(source), floats(dx));
      ctx->SetStatus(launch.status());
    }
  }
};

REGISTER_OP("YoloxSpp").Input("x: float").Output("y: float").Output("source: float");
REGISTER_KERNEL_BUILDER(Name("YoloxSpp").Device(DEVICE_CPU), SppOp<Device::kCpu>);
REGISTER_KERNEL_BUILDER(Name("YoloxSpp").Device(DEVICE_GPU), SppOp<Device::kGpu>);

REGISTER_OP("YoloxSppGrad").Input("dy: float").Input("source: float").Output("dx: float");
REGISTER_KERNEL_BUILDER(Name("YoloxSppGrad").Device(DEVICE_CPU), SppGradOp<Device::kCpu>);
REGISTER_KERNEL_BUILDER(Name("YoloxSppGrad").Device(DEVICE_GPU), SppGradOp<Device::kGpu>);

}  // namespace
}  // namespace yolox
