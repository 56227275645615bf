// The losses on a GPU: objectness and class with a warp an anchor, boxes with a thread an anchor, which so need not
// cost the former its registers; then the sums of blocks added in order.
#include "native/host_device.h"
#include "yolox_loss/yolox_loss.h"

using namespace yolox;

namespace {

constexpr int kWarps = kLossThreads / kWarp;
constexpr int kAnchors = kLossAnchors;
constexpr int kAnchorsPerWarp = kAnchors / kWarps;

__device__ double warp_sum(double x) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffffu, x, offset);
  return x;
}

struct CrossEntropy {
  float loss, grad;
};

__device__ CrossEntropy cross_entropy(float x, float target) {
  const float e = expf(-fabsf(x));
  return {(x > 0 ? x : 0.0f) - x * target + log1pf(e), (x >= 0 ? 1.0f : e) / (1.0f + e) - target};
}

}  // namespace

// Columns 4 and on of `grad`, zeros in the others of background; partial [blocks,kLossParts] gets the sums of each
// block's anchors.
extern "C" __global__ void yolox_loss_logits(YoloxLoss op, const float* raw, const float* labels,
                                             const float* matched_gt, const float* matched_iou, const float* num_fg,
                                             float* grad, double* partial) {
  __shared__ double of_warps[kWarps][2];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const int columns = op.columns();
  const float scale = loss_scale(num_fg);
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kAnchors + warp * kAnchorsPerWarp;
  double obj_sum = 0, cls_sum = 0;
  for (int64_t i = first; i < first + kAnchorsPerWarp && i < op.total(); i++) {
    const float* outputs = raw + i * columns;
    float* by_output = grad + i * columns;
    const float* label = matched_label(op, labels, matched_gt[i], i / op.anchors.count);
    const int wanted = label ? known_class(op, label[0]) : -1;
    for (int column = lane; column < columns; column += kWarp) {
      if (column == 4 || (label && column > 4)) {
        const float target = column == 4 ? (label ? 1.0f : 0.0f) : column - 5 == wanted ? matched_iou[i] : 0.0f;
        const CrossEntropy loss = cross_entropy(outputs[column], target);
        by_output[column] = loss.grad * scale;
        (column == 4 ? obj_sum : cls_sum) += loss.loss;
      } else if (!label) {
        by_output[column] = 0;
      }
    }
  }
  obj_sum = warp_sum(obj_sum);
  cls_sum = warp_sum(cls_sum);
  if (lane == 0) {
    of_warps[warp][0] = obj_sum;
    of_warps[warp][1] = cls_sum;
  }
  __syncthreads();
  if (threadIdx.x < 2) {
    double sum = 0;
    for (int w = 0; w < kWarps; w++) sum += of_warps[w][threadIdx.x];
    partial[static_cast<int64_t>(blockIdx.x) * kLossParts + (threadIdx.x == 0 ? kObjPart : kClsPart)] = sum;
  }
}

// Columns 0 to 3 of the matched anchors, and the sums of their losses.
extern "C" __global__ void yolox_loss_boxes(YoloxLoss op, const float* raw, const float* labels,
                                            const float* matched_gt, const float* num_fg, float* grad,
                                            double* partial) {
  __shared__ double of_warps[kAnchors / kWarp][2];
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kAnchors + threadIdx.x;
  const float* label = nullptr;
  if (i < op.total()) label = matched_label(op, labels, matched_gt[i], i / op.anchors.count);
  double box = 0, l1 = 0;
  if (label) {
    const int64_t at = i * op.columns();
    const BoxLoss loss = box_loss(op, raw + at, anchor_at(op.anchors, i % op.anchors.count), label + 1);
    const double scale = loss_scale(num_fg);
    for (int k = 0; k < 4; k++) grad[at + k] = loss.grad[k] * scale;
    box = loss.box;
    l1 = loss.l1;
  }
  box = warp_sum(box);
  l1 = warp_sum(l1);
  if (threadIdx.x % kWarp == 0) {
    of_warps[threadIdx.x / kWarp][0] = box;
    of_warps[threadIdx.x / kWarp][1] = l1;
  }
  __syncthreads();
  if (threadIdx.x < 2) {
    double sum = 0;
    for (int w = 0; w < kAnchors / kWarp; w++) sum += of_warps[w][threadIdx.x];
    partial[static_cast<int64_t>(blockIdx.x) * kLossParts + (threadIdx.x == 0 ? kIouPart : kL1Part)] = sum;
  }
}

// One block, a warp a part: losses [5] from the sums of all blocks.
extern "C" __global__ void yolox_loss_total(int blocks, const double* partial, const float* num_fg, float* losses) {
  __shared__ double parts[kLossParts];
  const int lane = threadIdx.x % kWarp, part = threadIdx.x / kWarp;
  double sum = 0;
  for (int block = lane; block < blocks; block += kWarp)
    sum += partial[static_cast<int64_t>(block) * kLossParts + part];
  sum = warp_sum(sum) * loss_scale(num_fg);
  if (lane == 0) {
    parts[part] = sum;
    losses[1 + part] = sum;
  }
  __syncthreads();
  if (threadIdx.x == 0) losses[0] = parts[0] + parts[1] + parts[2] + parts[3];
}
