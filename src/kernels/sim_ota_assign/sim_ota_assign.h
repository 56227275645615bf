// SimOTA label assignment (Ge et al. 2021, section 2.1): which anchor learns which object.
//
// raw [N,A,5+C] is tx, ty, tw, th, objectness logit, class logits; labels [N,M,5] are class, cx, cy, w, h in input
// pixels. What ends in a comparison is computed in double precision and rounded to float32 once, so that CPU, CUDA and
// reference.ts agree on ties.
#pragma once

#include "native/anchors.h"

namespace yolox {

// Threads of a CUDA block, in the kernels and their launches.
constexpr int kSimOtaThreads = 256;

// An object's best IoUs that are summed into the number of its anchors, which is therefore never larger.
constexpr int kTopCandidates = 10;
// A NaN cost, and the place of nothing in a list: behind all others.
constexpr float kWorstCost = 3.402823466e+38f;
constexpr int kNobody = 2147483647;

struct SimOta {
  int batch, rows, classes;  // N, M, C
  float radius;              // half side of the square around an object's centre, in strides
  float iou_weight;
  float penalty;  // cost added to an anchor that isn't well placed for the object
  bool in_box;    // anchors anywhere inside an object's box are candidates as well
  AnchorGrid anchors;

  YOLOX_HOST_DEVICE int columns() const { return 5 + classes; }
};

struct Box {
  float cx, cy, w, h;
};

// label −1: none.
struct GroundTruth {
  int label;
  Box box;
};

struct Candidate {
  Box box;          // as predicted
  float x, y;       // the anchor's centre in pixels
  float stride;     // pixels
  int anchor;       // index in its image
  double negative;  // class cost if the candidate learnt no class at all
  double objectness;
};

// A label row is an object when its sum is positive and finite and its class is one of [0, C).
YOLOX_HOST_DEVICE inline GroundTruth read_object(const float* row, int classes) {
  const double sum = static_cast<double>(row[0]) + row[1] + row[2] + row[3] + row[4];
  const bool known = row[0] >= 0 && row[0] < classes;
  return {sum > 0 && sum < 1e300 && known ? static_cast<int>(row[0]) : -1, {row[1], row[2], row[3], row[4]}};
}

// The box rounded to float32 as the references do: anchors lie exactly on the border of many integer boxes.
YOLOX_HOST_DEVICE inline bool inside_by(const Box& box, float x, float y, double half_width, double half_height) {
  return x > static_cast<float>(box.cx - half_width) && x < static_cast<float>(box.cx + half_width) &&
         y > static_cast<float>(box.cy - half_height) && y < static_cast<float>(box.cy + half_height);
}

YOLOX_HOST_DEVICE inline bool near_centre(const SimOta& op, const Box& box, float x, float y, float stride) {
  const double half = static_cast<double>(op.radius) * stride;
  return inside_by(box, x, y, half, half);
}

YOLOX_HOST_DEVICE inline bool in_box(const Box& box, float x, float y) {
  return inside_by(box, x, y, 0.5 * box.w, 0.5 * box.h);
}

YOLOX_HOST_DEVICE inline bool is_candidate(const SimOta& op, const Box& box, float x, float y, float stride) {
  return near_centre(op, box, x, y, stride) || (op.in_box && in_box(box, x, y));
}

YOLOX_HOST_DEVICE inline bool well_placed(const SimOta& op, const Box& box, const Candidate& c) {
  return near_centre(op, box, c.x, c.y, c.stride) && (!op.in_box || in_box(box, c.x, c.y));
}

YOLOX_HOST_DEVICE inline double sigmoid(double x) { return 1 / (1 + exp(-x)); }

// Where the cross entropy of PyTorch, which the cost comes from, clamps its logarithms.
constexpr double kMinLog = -100;

YOLOX_HOST_DEVICE inline double clamped_log(double x) {
  const double y = log(x);
  return y < kMinLog ? kMinLog : y;
}

// All of a candidate but `negative`.
YOLOX_HOST_DEVICE inline Candidate make_candidate(const float* raw, const Anchor& anchor, int index) {
  const double stride = anchor.stride;
  return {{static_cast<float>((static_cast<double>(raw[0]) + anchor.x) * stride),
           static_cast<float>((static_cast<double>(raw[1]) + anchor.y) * stride),
           static_cast<float>(exp(static_cast<double>(raw[2])) * stride),
           static_cast<float>(exp(static_cast<double>(raw[3])) * stride)},
          (anchor.x + 0.5f) * anchor.stride,
          (anchor.y + 0.5f) * anchor.stride,
          anchor.stride,
          index,
          0,
          sigmoid(raw[4])};
}

// Length of what two intervals share; NaN where the prediction `a` is.
YOLOX_HOST_DEVICE inline double shared_length(double a, double size_a, double b, double size_b) {
  const double low_a = a - size_a / 2, low_b = b - size_b / 2;
  const double high_a = a + size_a / 2, high_b = b + size_b / 2;
  return (high_b < high_a ? high_b : high_a) - (low_b > low_a ? low_b : low_a);
}

// 0 where a box is NaN.
YOLOX_HOST_DEVICE inline double box_iou(const Box& a, const Box& b) {
  const double width = shared_length(a.cx, a.w, b.cx, b.w);
  if (!(width > 0)) return 0;
  const double height = shared_length(a.cy, a.h, b.cy, b.h);
  if (!(height > 0)) return 0;
  const double both = width * height;
  return both / (static_cast<double>(a.w) * a.h + static_cast<double>(b.w) * b.h - both);
}

// Cost of a candidate, whose outputs are `raw`, learning an object.
YOLOX_HOST_DEVICE inline float pair_cost(const SimOta& op, const Candidate& c, const float* raw,
                                         const GroundTruth& object, double iou, bool placed) {
  const double p = static_cast<float>(sqrt(sigmoid(raw[5 + object.label]) * c.objectness));
  const double class_cost = c.negative + clamped_log(1 - p) - clamped_log(p);
  const double cost = class_cost - op.iou_weight * log(iou + 1e-8) + (placed ? 0.0 : op.penalty);
  return cost <= kWorstCost ? static_cast<float>(cost) : kWorstCost;
}

// Costs below this can't be of a badly placed anchor: of the parts of the cost only the rounding is negative.
YOLOX_HOST_DEVICE inline float placed_limit(const SimOta& op) { return op.penalty - 1; }

struct Entry {
  float cost;
  int index;
};

YOLOX_HOST_DEVICE inline bool before(const Entry& a, const Entry& b) {
  return a.cost < b.cost || (a.cost == b.cost && a.index < b.index);
}

// The first kTopCandidates of the entries offered, in order.
struct TopList {
  Entry entry[kTopCandidates];

  YOLOX_HOST_DEVICE void clear() {
    for (int i = 0; i < kTopCandidates; i++) entry[i] = {kWorstCost, kNobody};
  }
  YOLOX_HOST_DEVICE void offer(const Entry& e) {
    if (!before(e, entry[kTopCandidates - 1])) return;
    int i = kTopCandidates - 1;
    for (; i > 0 && before(e, entry[i - 1]); i--) entry[i] = entry[i - 1];
    entry[i] = e;
  }
};

}  // namespace yolox

#if !defined(__CUDACC_RTC__)
#include "native/launcher.h"
#include "native/parallel.h"

namespace yolox {

// matched_gt [N,A]: label row, −1 for background; matched_iou [N,A]: 0 for background; num_fg [1]: matched anchors.
struct SimOtaOutputs {
  float* matched_gt;
  float* matched_iou;
  float* num_fg;
};

// Memory both need, in floats, whatever the number of classes; 8-byte aligned.
int64_t sim_ota_assign_cpu_scratch(const SimOta& op);
int64_t sim_ota_assign_cuda_scratch(const SimOta& op);

void sim_ota_assign_cpu(const ParallelFor& parallel_for, const SimOta& op, const float* raw, const float* labels,
                        const SimOtaOutputs& out, float* scratch);
void sim_ota_assign_cuda(Launcher& launch, const SimOta& op, const float* raw, const float* labels,
                         const SimOtaOutputs& out, float* scratch);

}  // namespace yolox
#endif
