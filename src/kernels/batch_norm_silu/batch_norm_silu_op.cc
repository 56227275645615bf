// YoloxBatchNormSilu: z [N,H,W,C], gamma, beta, mean, variance [C] → y, saved_mean, saved_rstd, batch_variance;
// YoloxBatchNormSiluGrad: dy, z, gamma, beta, saved_mean, saved_rstd → dx, dgamma, dbeta.
#include "batch_norm_silu/batch_norm_silu.h"
#include "native/cuda_launcher.h"
#include "native/op.h"

namespace yolox {
namespace {

constexpr char kForward[] = "YoloxBatchNormSilu", kGrad[] = "YoloxBatchNormSiluGrad";

// Whether all inputs from `first` on are [channels].
bool are_vectors(OpKernelContext* ctx, const char* op, int first, int64_t channels, const char* const* names) {
  for (int i = first; i < ctx->num_inputs(); ++i) {
    if (ctx->input(i).shape() == TensorShape({channels})) continue;
    ctx->SetStatus(shape_error(op, names[i - first], "[C] = [" + std::to_string(channels) + "]", ctx->input(i)));
    return false;
  }
  return true;
}

template <Device kDevice>
float* allocate_scratch(OpKernelContext* ctx, Tensor* holder, int64_t rows, int64_t channels) {
  return scratch(ctx, holder,
                 kDevice == Device::kCpu ? batch_norm_silu_cpu_scratch(rows, channels)
                                         : batch_norm_silu_cuda_scratch(rows, channels));
}

template <Device kDevice>
class BatchNormSiluOp : public OpKernel {
 public:
  explicit BatchNormSiluOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    OP_REQUIRES_OK(ctx, ctx->GetAttr("training", &training_));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("epsilon", &epsilon_));
  }

  void Compute(OpKernelContext* ctx) override {
    const Tensor& z = ctx->input(0);
    OP_REQUIRES(ctx, z.dims() == 4, shape_error(kForward, "z", "[N,H,W,C]", z));
    const int64_t channels = z.dim_size(3), rows = channels > 0 ? z.NumElements() / channels : 0;
    static constexpr const char* kNames[] = {"gamma", "beta", "mean", "variance"};
    if (!are_vectors(ctx, kForward, 1, channels, kNames)) return;

    Tensor* outputs[4] = {allocate_output(ctx, 0, z.shape())};
    for (int i = 1; i < 4; ++i) outputs[i] = allocate_output(ctx, i, TensorShape({channels}));
    if (!ctx->status().ok() || channels == 0) return;
    Tensor holder;
    float* memory = allocate_scratch<kDevice>(ctx, &holder, rows, channels);
    // Without rows CUDA takes no memory, but there are statistics to write.
    if (!ctx->status().ok()) return;

    const BatchNormSilu task = {.rows = rows,
                                .channels = channels,
                                .training = training_,
                                .epsilon = epsilon_,
                                .z = floats(z),
                                .gamma = floats(ctx->input(1)),
                                .beta = floats(ctx->input(2)),
                                .mean = floats(ctx->input(3)),
                                .variance = floats(ctx->input(4)),
                                .y = floats(outputs[0]),
                                .saved_mean = floats(outputs[1]),
                                .saved_rstd = floats(outputs[2]),
                                .batch_variance = floats(outputs[3]),
                                .scratch = memory};
    if constexpr (kDevice == Device::kCpu) {
      batch_norm_silu_cpu(parallel_for(), task);
    } else {
      CudaLauncher launch(ctx, "batch_norm_silu");
      batch_norm_silu_cuda(launch, task);
      ctx->SetStatus(launch.status());
    }
  }

 private:
  bool training_ = false;
  float epsilon_ = 0;
};

template <Device kDevice>
class BatchNormSiluGradOp : public OpKernel {
 public:
  explicit BatchNormSiluGradOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    OP_REQUIRES_OK(ctx, ctx->GetAttr("training", &training_));
  }

  void Compute(OpKernelContext* ctx) override {
    const Tensor& dy = ctx->input(0);
    const Tensor& z = ctx->input(1);
    OP_REQUIRES(ctx, z.dims() == 4, shape_error(kGrad, "z", "[N,H,W,C]", z));
    OP_REQUIRES(ctx, dy.shape() == z.shape(), shape_error(kGrad, "dy", "z's " + z.shape().DebugString(), dy));
    const int64_t channels = z.dim_size(3), rows = channels > 0 ? z.NumElements() / channels : 0;
    static constexpr const char* kNames[] = {"gamma", "beta", "saved_mean", "saved_rstd"};
    if (!are_vectors(ctx, kGrad, 2, channels, kNames)) return;

    Tensor* dx = allocate_output(ctx, 0, z.shape());
    Tensor* dgamma = allocate_output(ctx, 1, TensorShape({channels}));
    Tensor* dbeta = allocate_output(ctx, 2, TensorShape({channels}));
    if (!ctx->status().ok() || channels == 0) return;
    Tensor holder;
    float* memory = allocate_scratch<kDevice>(ctx, &holder, rows, channels);
    if (!ctx->status().ok()) return;

    const BatchNormSiluGrad task = {.rows = rows,
                                    .channels = channels,
                                    .training = training_,
                                    .dy = floats(dy),
                                    .z = floats(z),
                                    .gamma = floats(ctx->input(2)),
                                    .beta = floats(ctx->input(3)),
                                    .saved_mean = floats(ctx->input(4)),
                                    .saved_rstd = floats(ctx->input(5)),
                                    .dx = floats(dx),
                                    .dgamma = floats(dgamma),
                                    .dbeta = floats(dbeta),
                                    .scratch = memory};
    if constexpr (kDevice == Device::kCpu) {
      batch_norm_silu_grad_cpu(parallel_for(), task);
    } else {
      CudaLauncher launch(ctx, "batch_norm_silu");
      batch_norm_silu_grad_cuda(launch, task);
      ctx->SetStatus(launch.status());
    }
  }

 private:
  bool training_ = false;
};

REGISTER_OP("YoloxBatchNormSilu")
    .Input("z: float")
    .Input("gamma: float")
    .Input("beta: float")
    .Input("mean: float")
    .Input("variance: float")
    .Output("y: float")
    .Output("saved_mean: float")
    .Output("saved_rstd: float")
    .Output("batch_variance: float")
    .Attr("epsilon: float")
    .Attr("training: bool");
REGISTER_KERNEL_BUILDER(Name(kForward).Device(DEVICE_CPU), BatchNormSiluOp<Device::kCpu>);
REGISTER_KERNEL_BUILDER(Name(kForward).Device(DEVICE_GPU), BatchNormSiluOp<Device::kGpu>);

REGISTER_OP("YoloxBatchNormSiluGrad")
    .Input("dy: float")
    .Input("z: float")
    .Input("gamma: float")
    .Input("beta: float")
    .Input("saved_mean: float")
    .Input("saved_rstd: float")
    .Output("dx: float")
    .Output("dgamma: float")
    .Output("dbeta: float")
    .Attr("training: bool");
REGISTER_KERNEL_BUILDER(Name(kGrad).Device(DEVICE_CPU), BatchNormSiluGradOp<Device::kCpu>);
REGISTER_KERNEL_BUILDER(Name(kGrad).Device(DEVICE_GPU), BatchNormSiluGradOp<Device::kGpu>);

}  // namespace
}  // namespace yolox
