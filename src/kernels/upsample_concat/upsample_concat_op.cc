// YoloxUpsampleConcat: coarse [N,H,W,A], fine [N,2H,2W,B] → y [N,2H,2W,A+B]; YoloxUpsampleConcatGrad: back.
#include "native/cuda_launcher.h"
#include "native/op.h"
#include "upsample_concat/upsample_concat.h"

namespace yolox {
namespace {

template <Device kDevice>
class UpsampleConcatOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* ctx) override {
    const Tensor& coarse = ctx->input(0);
    const Tensor& fine = ctx->input(1);
    OP_REQUIRES(ctx, coarse.dims() == 4, shape_error("YoloxUpsampleConcat", "coarse", "[N,H,W,A]", coarse));
    const UpsampleShape shape{coarse.dim_size(0), coarse.dim_size(1), coarse.dim_size(2), coarse.dim_size(3),
                              fine.dims() == 4 ? fine.dim_size(3) : 0};
    const TensorShape expected({shape.batch, 2 * shape.height, 2 * shape.width, shape.fine_channels});
    OP_REQUIRES(ctx, fine.shape() == expected,
                shape_error("YoloxUpsampleConcat", "fine", "[N,2H,2W,B] = " + expected.DebugString(), fine));
    TensorShape result = expected;
    result.set_dim(3, shape.coarse_channels + shape.fine_channels);
    Tensor* y = allocate_output(ctx, 0, result);
    if (!y || y->NumElements() == 0) return;
    if constexpr (kDevice == Device::kCpu) {
      upsample_concat_cpu(parallel_for(), shape, floats(coarse), floats(fine), floats(y));
    } else {
      CudaLauncher launch(ctx, "upsample_concat");
      upsample_concat_cuda(launch, shape, floats(coarse), floats(fine), floats(y));
      ctx->SetStatus(launch.status());
    }
  }
};

template <Device kDevice>
class UpsampleConcatGradOp : public OpKernel {
 public:
  explicit UpsampleConcatGradOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    OP_REQUIRES_OK(ctx, ctx->GetAttr("coarse_channels", &channels_));
  }

  void Compute(OpKernelContext* ctx) override {
    const Tensor& dy = ctx->input(0);
    OP_REQUIRES(
        ctx, dy.dims() == 4 && dy.dim_size(1) % 2 == 0 && dy.dim_size(2) % 2 == 0 && dy.dim_size(3) >= channels_,
        shape_error("YoloxUpsampleConcatGrad", "dy", "[N,2H,2W,A+B] with A = " + std::to_string(channels_), dy));
    const UpsampleShape shape{dy.dim_size(0), dy.dim_size(1) / 2, dy.dim_size(2) / 2, channels_,
                              dy.dim_size(3) - channels_};
    Tensor* dcoarse = allocate_output(ctx, 0, {shape.batch, shape.height, shape.width, channels_});
    Tensor* dfine = allocate_output(ctx, 1, {shape.batch, 2 * shape.height, 2 * shape.width, shape.fine_channels});
    if (!dcoarse || !dfine || dy.NumElements() == 0) return;
    if constexpr (kDevice == Device::kCpu) {
      upsample_concat_grad_cpu(parallel_for(), shape, floats(dy), floats(dcoarse), floats(dfine));
    } else {
      CudaLauncher launch(ctx, "upsample_concat");
      upsample_concat_grad_cuda(launch, shape, floats(dy), floats(dcoarse), floats(dfine));
      ctx->SetStatus(launch.status());
    }
  }

 private:
  int channels_ = 0;
};

REGISTER_OP("YoloxUpsampleConcat").Input("coarse: float").Input("fine: float").Output("y: float");
REGISTER_KERNEL_BUILDER(Name("YoloxUpsampleConcat").Device(DEVICE_CPU), UpsampleConcatOp<Device::kCpu>);
REGISTER_KERNEL_BUILDER(Name("YoloxUpsampleConcat").Device(DEVICE_GPU), UpsampleConcatOp<Device::kGpu>);

REGISTER_OP("YoloxUpsampleConcatGrad")
    .Input("dy: float")
    .Output("dcoarse: float")
    .Output("dfine: float")
    .Attr("coarse_channels: int >= 0");
REGISTER_KERNEL_BUILDER(Name("YoloxUpsampleConcatGrad").Device(DEVICE_CPU), UpsampleConcatGradOp<Device::kCpu>);
REGISTER_KERNEL_BUILDER(Name("YoloxUpsampleConcatGrad").Device(DEVICE_GPU), UpsampleConcatGradOp<Device::kGpu>);

}  // namespace
}  // namespace yolox
