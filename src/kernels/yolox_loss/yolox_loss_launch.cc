// The order of the loss' kernels on a GPU.
#include "yolox_loss/yolox_loss.h"

namespace yolox {
namespace {

constexpr unsigned kThreads = kLossThreads;
constexpr unsigned kAnchorsPerBlock = kLossAnchors;

}  // namespace

int64_t yolox_loss_cuda_scratch(const YoloxLoss& op) {
  return static_cast<int64_t>(blocks_for(op.total(), kAnchorsPerBlock)) * kLossParts *
         static_cast<int64_t>(sizeof(double) / sizeof(float));
}

void yolox_loss_cuda(Launcher& launch, const YoloxLoss& op, const YoloxLossInputs& in, const YoloxLossOutputs& out,
                     float* scratch) {
  double* partial = reinterpret_cast<double*>(scratch);
  const unsigned blocks = blocks_for(op.total(), kAnchorsPerBlock);
  if (blocks > 0) {
    launch("yolox_loss_logits", {blocks}, {kThreads}, 0, op, in.raw, in.labels, in.matched_gt, in.matched_iou,
           in.num_fg, out.grad, partial);
    launch("yolox_loss_boxes", {blocks}, {kAnchorsPerBlock}, 0, op, in.raw, in.labels, in.matched_gt, in.num_fg,
           out.grad, partial);
  }
  launch("yolox_loss_total", {1}, {kWarp * kLossParts}, 0, static_cast<int>(blocks), static_cast<const double*>(partial),
         in.num_fg, out.losses);
}

}  // namespace yolox
