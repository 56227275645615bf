// YoloxConcat: x 1 to 4 tensors [...,Cᵢ] → y [...,ΣCᵢ]; YoloxConcatGrad: the inverse, C given by `sizes`.
#include <vector>

#include "concat/concat.h"
#include "native/cuda_launcher.h"
#include "native/op.h"

namespace yolox {
namespace {

TensorShape with_channels(TensorShape shape, int64_t channels) {
  shape.set_dim(shape.dims() - 1, channels);
  return shape;
}

absl::Status too_many(const char* op, int count) {
  return absl::InvalidArgumentError(absl::StrCat(op, ": expected at most ", kMaxParts, " parts, received ", count));
}

template <Device kDevice>
class ConcatOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* ctx) override {
    const int count = ctx->num_inputs();
    OP_REQUIRES(ctx, count <= kMaxParts, too_many("YoloxConcat", count));
    const TensorShape& first = ctx->input(0).shape();
    OP_REQUIRES(ctx, first.dims() >= 1, shape_error("YoloxConcat", "x[0]", "[...,C]", ctx->input(0)));
    Parts<const float> parts{};
    int64_t rows = 1, width = 0;
    for (int i = 0; i < first.dims() - 1; ++i) rows *= first.dim_size(i);
    for (int i = 0; i < count; ++i) {
      const Tensor& x = ctx->input(i);
      const int64_t channels = x.dims() == first.dims() ? x.dim_size(x.dims() - 1) : 0;
      const TensorShape expected = with_channels(first, channels);
      OP_REQUIRES(ctx, x.shape() == expected,
                  shape_error("YoloxConcat", "x", expected.DebugString() + " but for the last dimension", x));
      parts.channels[i] = channels;
      parts.values[i] = floats(x);
      width += channels;
    }
    Tensor* y = allocate_output(ctx, 0, with_channels(first, width));
    if (!y || y->NumElements() == 0) return;
    if constexpr (kDevice == Device::kCpu) {
      concat_cpu(parallel_for(), rows, parts, floats(y));
    } else {
      CudaLauncher launch(ctx, "concat");
      concat_cuda(launch, rows, parts, floats(y));
      ctx->SetStatus(launch.status());
    }
  }
};

template <Device kDevice>
class ConcatGradOp : public OpKernel {
 public:
  explicit ConcatGradOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    OP_REQUIRES_OK(ctx, ctx->GetAttr("sizes", &sizes_));
    int count = 0;
    OP_REQUIRES_OK(ctx, ctx->GetAttr("N", &count));
    OP_REQUIRES(ctx, count <= kMaxParts, too_many("YoloxConcatGrad", count));
    OP_REQUIRES(
        ctx, sizes_.size() == static_cast<size_t>(count),
        absl::InvalidArgumentError(
            absl::StrCat("YoloxConcatGrad: expected ", count, " sizes, received ", sizes_.size())));
    for (int32_t size : sizes_) {
      OP_REQUIRES(ctx, size >= 0,
                  absl::InvalidArgumentError(
                      absl::StrCat("YoloxConcatGrad: expected sizes of 0 or more, received ", size)));
      width_ += size;
    }
  }

  void Compute(OpKernelContext* ctx) override {
    const Tensor& whole = ctx->input(0);
    OP_REQUIRES(ctx, whole.dims() >= 1 && whole.dim_size(whole.dims() - 1) == width_,
                shape_error("YoloxConcatGrad", "x", "[...," + std::to_string(width_) + "]", whole));
    Parts<float> parts{};
    for (size_t i = 0; i < sizes_.size(); ++i) {
      Tensor* part = allocate_output(ctx, i, with_channels(whole.shape(), sizes_[i]));
      if (!part) return;
      parts.channels[i] = sizes_[i];
      parts.values[i] = floats(part);
    }
    if (whole.NumElements() == 0) return;
    const int64_t rows = whole.NumElements() / width_;
    if constexpr (kDevice == Device::kCpu) {
      concat_grad_cpu(parallel_for(), rows, floats(whole), parts);
    } else {
      CudaLauncher launch(ctx, "concat");
      concat_grad_cuda(launch, rows, floats(whole), parts);
      ctx->SetStatus(launch.status());
    }
  }

 private:
  std::vector<int32_t> sizes_;
  int64_t width_ = 0;
};

REGISTER_OP("YoloxConcat").Input("x: N * float").Output("y: float").Attr("N: int >= 1");
REGISTER_KERNEL_BUILDER(Name("YoloxConcat").Device(DEVICE_CPU), ConcatOp<Device::kCpu>);
REGISTER_KERNEL_BUILDER(Name("YoloxConcat").Device(DEVICE_GPU), ConcatOp<Device::kGpu>);

REGISTER_OP("YoloxConcatGrad")
    .Input("x: float")
    .Output("y: N * float")
    .Attr("N: int >= 1")
    .Attr("sizes: list(int)");
REGISTER_KERNEL_BUILDER(Name("YoloxConcatGrad").Device(DEVICE_CPU), ConcatGradOp<Device::kCpu>);
REGISTER_KERNEL_BUILDER(Name("YoloxConcatGrad").Device(DEVICE_GPU), ConcatGradOp<Device::kGpu>);

}  // namespace
}  // namespace yolox
