// The losses on the CPU: blocks of anchors, whose sums are added in order.
#include <algorithm>

#include "native/vector_math.h"
#include "yolox_loss/yolox_loss.h"

namespace yolox {
namespace {

constexpr int kBlock = 256;

int64_t block_count(const YoloxLoss& op) { return (op.total() + kBlock - 1) / kBlock; }

// Σ cross entropy of `count` ≤ kBlock logits with targets, and its gradient times `scale`.
// log(1 + e^−|x|) is summed as the logarithm of a product of factors of at most 2.
double cross_entropy(const float* __restrict logits, const float* __restrict targets, int count, float scale,
                     float* __restrict grad) {
  double sum = 0, product = 1;
#pragma omp simd reduction(+ : sum) reduction(* : product)
  for (int i = 0; i < count; i++) {
    const float x = logits[i], t = targets[i];
    const float e = fast_exp(-std::fabs(x));
    const float p = (x >= 0 ? 1.0f : e) / (1.0f + e);
    sum += static_cast<double>(x > 0 ? x : 0.0f) - static_cast<double>(x) * t;
    product *= 1.0 + e;
    grad[i] = (p - t) * scale;
  }
  return sum + std::log(product);
}

// The class loss of a matched anchor.
double class_loss(const YoloxLoss& op, const float* logits, int label, float iou, float scale, float* grad) {
  double sum = 0;
  for (int first = 0; first < op.classes; first += kBlock) {
    const int count = std::min(kBlock, op.classes - first);
    float targets[kBlock] = {};
    if (label >= first && label < first + count) targets[label - first] = iou;
    sum += cross_entropy(logits + first, targets, count, scale, grad + first);
  }
  return sum;
}

// Sums of anchors [first, first + count) of the batch, and their gradient.
void loss_of_block(const YoloxLoss& op, const YoloxLossInputs& in, int64_t first, int count, float scale, float* grad,
                   double* parts) {
  const int columns = op.columns();
  const float* raw = in.raw + first * columns;
  grad += first * columns;
  std::fill_n(grad, static_cast<int64_t>(count) * columns, 0.0f);

  const float* matches[kBlock];
  float logits[kBlock], targets[kBlock], by_logit[kBlock];
  for (int i = 0; i < count; i++) {
    matches[i] = matched_label(op, in.labels, in.matched_gt[first + i], (first + i) / op.anchors.count);
    targets[i] = matches[i] ? 1.0f : 0.0f;
    logits[i] = raw[static_cast<int64_t>(i) * columns + 4];
  }
  parts[kObjPart] = cross_entropy(logits, targets, count, scale, by_logit);

  parts[kIouPart] = parts[kClsPart] = parts[kL1Part] = 0;
  for (int i = 0; i < count; i++) {
    const int64_t at = static_cast<int64_t>(i) * columns;
    grad[at + 4] = by_logit[i];
    if (!matches[i]) continue;
    const Anchor anchor = anchor_at(op.anchors, static_cast<int>((first + i) % op.anchors.count));
    const BoxLoss loss = box_loss(op, raw + at, anchor, matches[i] + 1);
    parts[kIouPart] += loss.box;
    parts[kL1Part] += loss.l1;
    for (int k = 0; k < 4; k++) grad[at + k] = static_cast<float>(loss.grad[k] * scale);
    parts[kClsPart] +=
        class_loss(op, raw + at + 5, known_class(op, *matches[i]), in.matched_iou[first + i], scale, grad + at + 5);
  }
}

}  // namespace

int64_t yolox_loss_cpu_scratch(const YoloxLoss& op) {
  return block_count(op) * kLossParts * static_cast<int64_t>(sizeof(double) / sizeof(float));
}

void yolox_loss_cpu(const ParallelFor& parallel_for, const YoloxLoss& op, const YoloxLossInputs& in,
                    const YoloxLossOutputs& out, float* scratch) {
  double* partial = reinterpret_cast<double*>(scratch);
  const double scale = loss_scale(in.num_fg);
  parallel_for(block_count(op), [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; block++) {
      const int64_t first = block * kBlock;
      const int count = static_cast<int>(std::min<int64_t>(kBlock, op.total() - first));
      loss_of_block(op, in, first, count, static_cast<float>(scale), out.grad, partial + block * kLossParts);
    }
  });
  double sums[kLossParts] = {};
  for (int64_t i = 0; i < block_count(op) * kLossParts; i++) sums[i % kLossParts] += partial[i];
  double total = 0;
  for (int part = 0; part < kLossParts; part++) {
    total += sums[part] * scale;
    out.losses[1 + part] = static_cast<float>(sums[part] * scale);
  }
  out.losses[0] = static_cast<float>(total);
}

}  // namespace yolox
