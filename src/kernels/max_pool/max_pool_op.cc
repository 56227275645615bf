// YoloxMaxPool: x [N,H,W,C] → y [N,H,W,4C]: x, then its maxima over 5×5, 9×9 and 13×13; source [N,H,W,3C]: where in
// the picture they come from. YoloxMaxPoolGrad: dx from dy and source.
#include "max_pool/max_pool.h"
#include "native/cuda_launcher.h"
#include "native/op.h"

namespace yolox {
namespace {

using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

absl::Status infer(InferenceContext* c) {
  ShapeHandle x, y, source;
  TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 4, &x));
  DimensionHandle all, pooled;
  TF_RETURN_IF_ERROR(c->Multiply(c->Dim(x, 3), kPools, &pooled));
  TF_RETURN_IF_ERROR(c->Add(c->Dim(x, 3), pooled, &all));
  TF_RETURN_IF_ERROR(c->ReplaceDim(x, 3, all, &y));
  TF_RETURN_IF_ERROR(c->ReplaceDim(x, 3, pooled, &source));
  c->set_output(0, y);
  c->set_output(1, source);
  return absl::OkStatus();
}

absl::Status infer_grad(InferenceContext* c) {
  ShapeHandle dy, dx;
  TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 4, &dy));
  DimensionHandle channels;
  TF_RETURN_IF_ERROR(c->Divide(c->Dim(dy, 3), 1 + kPools, true, &channels));
  TF_RETURN_IF_ERROR(c->ReplaceDim(dy, 3, channels, &dx));
  c->set_output(0, dx);
  return absl::OkStatus();
}

TensorShape nhwc(const PoolShape& shape, int times) {
  return {shape.batch, shape.height, shape.width, times * shape.channels};
}

template <Device kDevice>
class MaxPoolOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* ctx) override {
    const Tensor& x = ctx->input(0);
    OP_REQUIRES(ctx, x.dims() == 4 && x.dim_size(1) * x.dim_size(2) <= kMaxPositions,
                shape_error("YoloxMaxPool", "x", "[N,H,W,C] with H·W ≤ 2^24", x));
    const PoolShape shape{x.dim_size(0), x.dim_size(1), x.dim_size(2), x.dim_size(3)};
    Tensor* y = allocate_output(ctx, 0, nhwc(shape, 1 + kPools));
    Tensor* source = allocate_output(ctx, 1, nhwc(shape, kPools));
    if (!y || !source || x.NumElements() == 0) return;
    if constexpr (kDevice == Device::kCpu) {
      max_pool_cpu(parallel_for(), shape, floats(x), floats(y), floats(source));
    } else {
      CudaLauncher launch(ctx, "max_pool");
      max_pool_cuda(launch, shape, floats(x), floats(y), floats(source));
      ctx->SetStatus(launch.status());
    }
  }
};

template <Device kDevice>
class MaxPoolGradOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* ctx) override {
    const Tensor& dy = ctx->input(0);
    const Tensor& source = ctx->input(1);
    OP_REQUIRES(ctx, dy.dims() == 4 && dy.dim_size(3) % (1 + kPools) == 0,
                shape_error("YoloxMaxPoolGrad", "dy", "[N,H,W,4C]", dy));
    const PoolShape shape{dy.dim_size(0), dy.dim_size(1), dy.dim_size(2), dy.dim_size(3) / (1 + kPools)};
    const TensorShape expected = nhwc(shape, kPools);
    OP_REQUIRES(ctx, source.shape() == expected,
                shape_error("YoloxMaxPoolGrad", "source", "[N,H,W,3C] = " + expected.DebugString(), source));
    Tensor* dx = allocate_output(ctx, 0, nhwc(shape, 1));
    if (!dx || dx->NumElements() == 0) return;
    if constexpr (kDevice == Device::kCpu) {
      max_pool_grad_cpu(parallel_for(), shape, floats(dy), floats(source), floats(dx));
    } else {
      CudaLauncher launch(ctx, "max_pool");
      max_pool_grad_cuda(launch, shape, floats(dy), floats(source), floats(dx));
      ctx->SetStatus(launch.status());
    }
  }
};

REGISTER_OP("YoloxMaxPool").Input("x: float").Output("y: float").Output("source: float").SetShapeFn(infer);
REGISTER_KERNEL_BUILDER(Name("YoloxMaxPool").Device(DEVICE_CPU), MaxPoolOp<Device::kCpu>);
REGISTER_KERNEL_BUILDER(Name("YoloxMaxPool").Device(DEVICE_GPU), MaxPoolOp<Device::kGpu>);

REGISTER_OP("YoloxMaxPoolGrad").Input("dy: float").Input("source: float").Output("dx: float").SetShapeFn(infer_grad);
REGISTER_KERNEL_BUILDER(Name("YoloxMaxPoolGrad").Device(DEVICE_CPU), MaxPoolGradOp<Device::kCpu>);
REGISTER_KERNEL_BUILDER(Name("YoloxMaxPoolGrad").Device(DEVICE_GPU), MaxPoolGradOp<Device::kGpu>);

}  // namespace
}  // namespace yolox
