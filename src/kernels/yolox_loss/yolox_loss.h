// YOLOX's training loss and its gradient with respect to the raw head outputs.
//
// raw [N,A,5+C] is tx, ty, tw, th, objectness logit, class logits; labels [N,M,5] are class, cx, cy, w, h in input
// pixels; matched_gt [N,A] and matched_iou [N,A] say what each anchor learns. An anchor whose matched_gt isn't one of
// [0, M) is background, a class that isn't one of [0, C) is a target of zeros.
#pragma once

#include "native/anchors.h"

namespace yolox {

// Threads of a CUDA block, and the anchors it handles: a warp walks some of them, or a thread takes one.
constexpr int kLossThreads = 256;
constexpr int kLossAnchors = 64;

struct YoloxLoss {
  int batch, rows, classes;  // N, M, C
  bool use_l1;               // adds the L1 distance of raw box outputs
  AnchorGrid anchors;

  YOLOX_HOST_DEVICE int columns() const { return 5 + classes; }
  YOLOX_HOST_DEVICE int64_t total() const { return static_cast<int64_t>(batch) * anchors.count; }
};

// Sums over the batch, not yet divided by the number of matched anchors.
enum LossPart { kIouPart, kObjPart, kClsPart, kL1Part, kLossParts };

// Weight of the box loss (yolox/models/yolo_head.py, reg_weight).
constexpr double kBoxWeight = 5;
// Log of a side in strides beyond which the box, though not L1, takes it for this large (or small). The box loss is
// flat there to the last bit of float32, and what it is made of stays finite in float32.
constexpr double kMaxLogSide = 40;

struct BoxLoss {
  double box, l1;
  double grad[4];  // of both
};

struct Side {
  double overlap;          // length of the intersection (at most 0: none)
  double by_centre, by_size;  // its derivatives by the prediction's centre and size
};

// Of a predicted interval and its target; where ends meet, the derivative is the prediction's for the intersection.
YOLOX_HOST_DEVICE inline Side compare_sides(double centre, double size, double target, double target_size) {
  const double low = centre - size / 2, high = centre + size / 2;
  const double target_low = target - target_size / 2, target_high = target + target_size / 2;
  // NaN goes on to the overlap.
  const double inner_low = !(low < target_low), inner_high = !(high > target_high);
  return {(inner_high != 0 ? high : target_high) - (inner_low != 0 ? low : target_low), inner_high - inner_low,
          (inner_high + inner_low) / 2};
}

// Of a matched anchor with outputs `raw` and the object's box `target`.
YOLOX_HOST_DEVICE inline BoxLoss box_loss(const YoloxLoss& op, const float* raw, const Anchor& anchor,
                                          const float* target) {
  const double stride = anchor.stride;
  double size[2], size_by_raw[2];
  for (int k = 0; k < 2; k++) {
    const double log_side = raw[2 + k];
    const double bounded = log_side > kMaxLogSide ? kMaxLogSide : log_side < -kMaxLogSide ? -kMaxLogSide : log_side;
    size[k] = exp(bounded) * stride;
    size_by_raw[k] = bounded == log_side ? size[k] : 0;
  }
  const Side x = compare_sides((static_cast<double>(raw[0]) + anchor.x) * stride, size[0], target[0], target[2]);
  const Side y = compare_sides((static_cast<double>(raw[1]) + anchor.y) * stride, size[1], target[1], target[3]);

  const bool meet = !(x.overlap <= 0 || y.overlap <= 0);
  const double shared = meet ? x.overlap * y.overlap : 0;
  const double joined = size[0] * size[1] + static_cast<double>(target[2]) * target[3] - shared;
  const double divisor = joined + 1e-16;
  const double iou = shared / divisor;

  BoxLoss loss;
  loss.box = kBoxWeight * (1 - iou * iou);
  // Derivatives of the loss by the areas of the intersection and of the union.
  const double by_shared = kBoxWeight * -2 * iou / divisor;
  const double by_joined = kBoxWeight * 2 * iou * iou / divisor;
  // The union shrinks by what the intersection grows.
  const double by_overlap = meet ? by_shared - by_joined : 0;
  loss.grad[0] = stride * (by_overlap * x.by_centre * y.overlap);
  loss.grad[1] = stride * (by_overlap * y.by_centre * x.overlap);
  loss.grad[2] = size_by_raw[0] * (by_overlap * x.by_size * y.overlap + by_joined * size[1]);
  loss.grad[3] = size_by_raw[1] * (by_overlap * y.by_size * x.overlap + by_joined * size[0]);

  loss.l1 = 0;
  for (int k = 0; op.use_l1 && k < 4; k++) {
    const double grid = k == 0 ? anchor.x : anchor.y;
    const double wanted = k < 2 ? target[k] / stride - grid : log(target[k] / stride + 1e-8);
    const double distance = raw[k] - wanted;
    loss.l1 += fabs(distance);
    loss.grad[k] += distance > 0 ? 1 : distance < 0 ? -1 : distance;
  }
  return loss;
}

// The label row an anchor learns, null for background.
YOLOX_HOST_DEVICE inline const float* matched_label(const YoloxLoss& op, const float* labels, float matched_gt,
                                                    int64_t image) {
  if (!(matched_gt >= 0 && matched_gt < op.rows)) return nullptr;
  return labels + (image * op.rows + static_cast<int>(matched_gt)) * 5;
}

// The class of a label row, −1 where it is none.
YOLOX_HOST_DEVICE inline int known_class(const YoloxLoss& op, float label) {
  return label >= 0 && label < op.classes ? static_cast<int>(label) : -1;
}

// One over the number of matched anchors, at least 1.
YOLOX_HOST_DEVICE inline double loss_scale(const float* num_fg) { return num_fg[0] > 1 ? 1.0 / num_fg[0] : 1.0; }

}  // namespace yolox

#if !defined(__CUDACC_RTC__)
#include "native/launcher.h"
#include "native/parallel.h"

namespace yolox {

struct YoloxLossInputs {
  const float* raw;
  const float* labels;
  const float* matched_gt;
  const float* matched_iou;
  const float* num_fg;  // [1]
};

// losses [5]: total, box, objectness, class, L1; grad [N,A,5+C]: d total / d raw.
struct YoloxLossOutputs {
  float* losses;
  float* grad;
};

// Memory both need, in floats; 8-byte aligned.
int64_t yolox_loss_cpu_scratch(const YoloxLoss& op);
int64_t yolox_loss_cuda_scratch(const YoloxLoss& op);

void yolox_loss_cpu(const ParallelFor& parallel_for, const YoloxLoss& op, const YoloxLossInputs& in,
                    const YoloxLossOutputs& out, float* scratch);
void yolox_loss_cuda(Launcher& launch, const YoloxLoss& op, const YoloxLossInputs& in, const YoloxLossOutputs& out,
                     float* scratch);

}  // namespace yolox
#endif
