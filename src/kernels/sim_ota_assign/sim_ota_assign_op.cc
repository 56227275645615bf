// YoloxSimOtaAssign: raw [N,A,5+C], labels [N,M,5] → matched_gt [N,A], matched_iou [N,A], num_fg [1].
#include "native/anchors_op.h"
#include "native/cuda_launcher.h"
#include "native/op.h"
#include "sim_ota_assign/sim_ota_assign.h"

namespace yolox {
namespace {

constexpr char kName[] = "YoloxSimOtaAssign";

REGISTER_OP("YoloxSimOtaAssign")
    .Input("raw: float")
    .Input("labels: float")
    .Output("matched_gt: float")
    .Output("matched_iou: float")
    .Output("num_fg: float")
    .YOLOX_ANCHOR_ATTRS.Attr("radius: float")
    .Attr("iou_weight: float")
    .Attr("penalty: float")
    .Attr("in_box: bool");

template <Device kDevice>
class SimOtaAssignOp : public OpKernel {
 public:
  explicit SimOtaAssignOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    OP_REQUIRES_OK(ctx, read_anchors(kName, ctx, &op_.anchors));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("radius", &op_.radius));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("iou_weight", &op_.iou_weight));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("penalty", &op_.penalty));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("in_box", &op_.in_box));
  }

  void Compute(OpKernelContext* ctx) override {
    const Tensor& raw = ctx->input(0);
    const Tensor& labels = ctx->input(1);
    OP_REQUIRES_OK(ctx, check_head(kName, op_.anchors, raw, labels));
    SimOta op = op_;
    op.batch = static_cast<int>(raw.dim_size(0));
    op.rows = static_cast<int>(labels.dim_size(1));
    op.classes = static_cast<int>(raw.dim_size(2)) - 5;

    const TensorShape shape({op.batch, op.anchors.count});
    Tensor* matched_gt = allocate_output(ctx, 0, shape);
    Tensor* matched_iou = allocate_output(ctx, 1, shape);
    Tensor* num_fg = allocate_output(ctx, 2, TensorShape({1}));
    if (!matched_gt || !matched_iou || !num_fg) return;
    const SimOtaOutputs out = {floats(matched_gt), floats(matched_iou), floats(num_fg)};
    Tensor holder;
    if constexpr (kDevice == Device::kCpu) {
      float* memory = scratch(ctx, &holder, sim_ota_assign_cpu_scratch(op));
      if (ctx->status().ok()) sim_ota_assign_cpu(parallel_for(), op, floats(raw), floats(labels), out, memory);
    } else {
      float* memory = scratch(ctx, &holder, sim_ota_assign_cuda_scratch(op));
      if (!ctx->status().ok()) return;
      CudaLauncher launch(ctx, "sim_ota_assign");
      sim_ota_assign_cuda(launch, op, floats(raw), floats(labels), out, memory);
      OP_REQUIRES_OK(ctx, launch.status());
    }
  }

 private:
  SimOta op_ = {};
};

REGISTER_KERNEL_BUILDER(Name("YoloxSimOtaAssign").Device(DEVICE_CPU), SimOtaAssignOp<Device::kCpu>);
REGISTER_KERNEL_BUILDER(Name("YoloxSimOtaAssign").Device(DEVICE_GPU), SimOtaAssignOp<Device::kGpu>);

}  // namespace
}  // namespace yolox
