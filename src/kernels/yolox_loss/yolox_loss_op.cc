// YoloxLoss: raw [N,A,5+C], labels [N,M,5], matched_gt [N,A], matched_iou [N,A], num_fg [1] → losses [5],
// grad [N,A,5+C].
#include "native/anchors_op.h"
#include "native/cuda_launcher.h"
#include "native/op.h"
#include "yolox_loss/yolox_loss.h"

namespace yolox {
namespace {

constexpr char kName[] = "YoloxLoss";

REGISTER_OP("YoloxLoss")
    .Input("raw: float")
    .Input("labels: float")
    .Input("matched_gt: float")
    .Input("matched_iou: float")
    .Input("num_fg: float")
    .Output("losses: float")
    .Output("grad: float")
    .YOLOX_ANCHOR_ATTRS.Attr("use_l1: bool");

template <Device kDevice>
class YoloxLossOp : public OpKernel {
 public:
  explicit YoloxLossOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    OP_REQUIRES_OK(ctx, read_anchors(kName, ctx, &op_.anchors));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("use_l1", &op_.use_l1));
  }

  void Compute(OpKernelContext* ctx) override {
    const Tensor& raw = ctx->input(0);
    const Tensor& labels = ctx->input(1);
    OP_REQUIRES_OK(ctx, check_head(kName, op_.anchors, raw, labels));
    const TensorShape matched({raw.dim_size(0), raw.dim_size(1)});
    for (int k : {2, 3}) {
      OP_REQUIRES(ctx, ctx->input(k).shape() == matched,
                  shape_error(kName, k == 2 ? "matched_gt" : "matched_iou", matched.DebugString(), ctx->input(k)));
    }
    OP_REQUIRES(ctx, ctx->input(4).NumElements() == 1, shape_error(kName, "num_fg", "[1]", ctx->input(4)));
    YoloxLoss op = op_;
    op.batch = static_cast<int>(raw.dim_size(0));
    op.rows = static_cast<int>(labels.dim_size(1));
    op.classes = static_cast<int>(raw.dim_size(2)) - 5;

    Tensor* losses = allocate_output(ctx, 0, TensorShape({5}));
    Tensor* grad = allocate_output(ctx, 1, raw.shape());
    if (!losses || !grad) return;
    const YoloxLossInputs in = {floats(raw), floats(labels), floats(ctx->input(2)), floats(ctx->input(3)),
                                floats(ctx->input(4))};
    const YoloxLossOutputs out = {floats(losses), floats(grad)};
    Tensor holder;
    if constexpr (kDevice == Device::kCpu) {
      float* memory = scratch(ctx, &holder, yolox_loss_cpu_scratch(op));
      if (ctx->status().ok()) yolox_loss_cpu(parallel_for(), op, in, out, memory);
    } else {
      float* memory = scratch(ctx, &holder, yolox_loss_cuda_scratch(op));
      if (!ctx->status().ok()) return;
      CudaLauncher launch(ctx, "yolox_loss");
      yolox_loss_cuda(launch, op, in, out, memory);
      OP_REQUIRES_OK(ctx, launch.status());
    }
  }

 private:
  YoloxLoss op_ = {};
};

REGISTER_KERNEL_BUILDER(Name("YoloxLoss").Device(DEVICE_CPU), YoloxLossOp<Device::kCpu>);
REGISTER_KERNEL_BUILDER(Name("YoloxLoss").Device(DEVICE_GPU), YoloxLossOp<Device::kGpu>);

}  // namespace
}  // namespace yolox
