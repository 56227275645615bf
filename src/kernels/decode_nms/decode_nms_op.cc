// YoloxDecodeNms: raw [N,A,5+C] → boxes [N,K,4], objectness, probability and class [N,K], count [N].
#include "decode_nms/decode_nms.h"
#include "native/anchors_op.h"
#include "native/cuda_launcher.h"
#include "native/op.h"

namespace yolox {
namespace {

constexpr char kName[] = "YoloxDecodeNms";

REGISTER_OP("YoloxDecodeNms")
    .Input("raw: float")
    .Output("boxes: float")
    .Output("objectness: float")
    .Output("probability: float")
    .Output("class_index: float")
    .Output("count: float")
    .YOLOX_ANCHOR_ATTRS.Attr("confidence: float")
    .Attr("iou: float")
    .Attr("max_candidates: int >= 0")
    .Attr("max_detections: int >= 0")
    .Attr("agnostic: bool");

template <Device kDevice>
class DecodeNmsOp : public OpKernel {
 public:
  explicit DecodeNmsOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    bool agnostic;
    OP_REQUIRES_OK(ctx, read_anchors(kName, ctx, &op_.anchors));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("confidence", &op_.confidence));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("iou", &op_.iou));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("max_candidates", &op_.candidates));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("max_detections", &op_.detections));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("agnostic", &agnostic));
    op_.agnostic = agnostic;
    if (op_.candidates > op_.anchors.count) op_.candidates = op_.anchors.count;
  }

  void Compute(OpKernelContext* ctx) override {
    const Tensor& raw = ctx->input(0);
    OP_REQUIRES(ctx, raw.dims() == 3 && raw.dim_size(1) == op_.anchors.count && raw.dim_size(2) > kBoxValues,
                shape_error(kName, "raw", absl::StrCat("[N,", op_.anchors.count, ",5+C] with C > 0"), raw));
    DecodeNms op = op_;
    op.batch = static_cast<int>(raw.dim_size(0));
    op.classes = static_cast<int>(raw.dim_size(2)) - kBoxValues;

    float* outputs[5];
    const TensorShape each({op.batch, op.detections});
    const TensorShape shapes[] = {TensorShape({op.batch, op.detections, 4}), each, each, each, TensorShape({op.batch})};
    for (int i = 0; i < 5; ++i) {
      Tensor* output = allocate_output(ctx, i, shapes[i]);
      if (!output) return;
      outputs[i] = floats(output);
    }
    const Detections out = {outputs[0], outputs[1], outputs[2], outputs[3], outputs[4]};
    const int64_t count = kDevice == Device::kCpu ? decode_nms_cpu_scratch(op) : decode_nms_cuda_scratch(op);
    Tensor holder;
    float* memory = scratch(ctx, &holder, count);
    if (!memory && count > 0) return;
    if constexpr (kDevice == Device::kCpu) {
      decode_nms_cpu(parallel_for(), op, floats(raw), out, memory);
    } else {
      CudaLauncher launch(ctx, "decode_nms");
      decode_nms_cuda(launch, op, floats(raw), out, memory);
      OP_REQUIRES_OK(ctx, launch.status());
    }
  }

 private:
  DecodeNms op_{};
};

REGISTER_KERNEL_BUILDER(Name(kName).Device(DEVICE_CPU), DecodeNmsOp<Device::kCpu>);
REGISTER_KERNEL_BUILDER(Name(kName).Device(DEVICE_GPU), DecodeNmsOp<Device::kGpu>);

}  // namespace
}  // namespace yolox
