// CPU kernel: an image a thread.
#include <algorithm>
#include <functional>

#include "decode_nms/decode_nms.h"

namespace yolox {
namespace {

// Anchors scored at once.
constexpr int kBlock = 256;
// Kept boxes a candidate is compared with at once.
constexpr int kAtOnce = 128;

// Of one image.
struct Scratch {
  uint64_t* keys;  // [A] rank_key by anchor, 0 where the score is too low; then by rank
  int* best;       // [A] best class by anchor
  // Boxes kept so far, [A].
  float *x1, *y1, *x2, *y2, *area;
  int* label;  // 0 where classes make no difference
};

constexpr int64_t kBytesPerAnchor = sizeof(uint64_t) + 5 * sizeof(float) + 2 * sizeof(int);

int64_t bytes_per_image(const DecodeNms& op) { return (op.anchors.count * kBytesPerAnchor + 15) / 16 * 16; }

Scratch scratch_of(const DecodeNms& op, void* scratch, int image) {
  Scratch s;
  const int64_t count = op.anchors.count;
  s.keys = reinterpret_cast<uint64_t*>(static_cast<char*>(scratch) + image * bytes_per_image(op));
  s.best = reinterpret_cast<int*>(s.keys + count);
  s.label = s.best + count;
  s.x1 = reinterpret_cast<float*>(s.label + count);
  s.y1 = s.x1 + count;
  s.x2 = s.y1 + count;
  s.y2 = s.x2 + count;
  s.area = s.y2 + count;
  return s;
}

// Of equal logits the first.
int best_class(const float* logits, int count) {
  float best = kLowestLogit;
#pragma omp simd reduction(max : best)
  for (int i = 0; i < count; ++i) best = logits[i] > best ? logits[i] : best;
  const int found = static_cast<int>(std::find(logits, logits + count, best) - logits);
  return found < count ? found : 0;
}

void score(const DecodeNms& op, const float* raw, int begin, int end, const Scratch& s) {
  const int row = op.row();
  float objectness[kBlock];
#pragma omp simd
  for (int i = 0; i < end - begin; ++i) objectness[i] = fast_sigmoid(raw[static_cast<int64_t>(begin + i) * row + 4]);
  for (int anchor = begin; anchor < end; ++anchor) {
    s.keys[anchor] = 0;
    // A probability is at most 1, so the classes of most anchors need no look.
    if (!(objectness[anchor - begin] >= op.confidence)) continue;
    const float* logits = raw + static_cast<int64_t>(anchor) * row + kBoxValues;
    const int top = best_class(logits, op.classes);
    const float value = objectness[anchor - begin] * fast_sigmoid(logits[top]);
    if (!(value >= op.confidence)) continue;
    s.keys[anchor] = rank_key(value, anchor);
    s.best[anchor] = top;
  }
}

// Puts the keys of candidates in order, best first. Their number.
int rank(const DecodeNms& op, uint64_t* keys) {
  uint64_t* end = std::remove(keys, keys + op.anchors.count, uint64_t{0});
  const int count = static_cast<int>(std::min<int64_t>(end - keys, op.candidates));
  if (keys + count < end) std::nth_element(keys, keys + count, end, std::greater<>());
  std::sort(keys, keys + count, std::greater<>());
  return count;
}

// Whether a kept box of the same label overlaps this one.
bool suppressed(const Scratch& s, int kept, const CornerBox& box, int label, float threshold) {
  const float* __restrict x1 = s.x1, * __restrict y1 = s.y1, * __restrict x2 = s.x2, * __restrict y2 = s.y2;
  const float* __restrict areas = s.area;
  const int* __restrict labels = s.label;
  const float size = area(box);
  for (int from = 0; from < kept; from += kAtOnce) {
    const int to = std::min(from + kAtOnce, kept);
    int met = 0;
#pragma omp simd reduction(| : met)
    for (int i = from; i < to; ++i) {
      const float value = overlap({x1[i], y1[i], x2[i], y2[i]}, areas[i], box, size);
      met |= (labels[i] == label) & (value > threshold);
    }
    if (met) return true;
  }
  return false;
}

void detect(const DecodeNms& op, const float* raw, int n, const Detections& out, const Scratch& s) {
  const int count = rank(op, s.keys);
  int kept = 0;
  for (int rank = 0; rank < count && kept < op.detections; ++rank) {
    const int anchor = anchor_of(s.keys[rank]);
    const float* values = raw + static_cast<int64_t>(anchor) * op.row();
    const CornerBox box = decode_box(op.anchors, anchor, values);
    const int label = op.agnostic ? 0 : s.best[anchor];
    if (suppressed(s, kept, box, label, op.iou)) continue;
    s.x1[kept] = box.x1;
    s.y1[kept] = box.y1;
    s.x2[kept] = box.x2;
    s.y2[kept] = box.y2;
    s.area[kept] = area(box);
    s.label[kept] = label;
    write_detection(op, out, n, kept++, box, values, s.best[anchor]);
  }
  out.count[n] = static_cast<float>(kept);
  for (int k = kept; k < op.detections; ++k) clear_detection(op, out, n, k);
}

}  // namespace

int64_t decode_nms_cpu_scratch(const DecodeNms& op) { return floats_of(op.batch * bytes_per_image(op)); }

void decode_nms_cpu(const ParallelFor& parallel_for, const DecodeNms& op, const float* raw, const Detections& out,
                    void* scratch) {
  const int64_t image = static_cast<int64_t>(op.anchors.count) * op.row();
  // One image takes less time than it takes to wake another thread and wait for it.
  parallel_for(op.batch, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int n = static_cast<int>(i);
      const Scratch s = scratch_of(op, scratch, n);
      for (int begin = 0; begin < op.anchors.count; begin += kBlock)
        score(op, raw + n * image, begin, std::min(begin + kBlock, op.anchors.count), s);
      detect(op, raw + n * image, n, out, s);
    }
  });
}

}  // namespace yolox
