// Raw head outputs to detections: decode, score filter, greedy non-maximum suppression, for a batch.
#pragma once

#include "native/anchors.h"
#include "native/host_device.h"
#include "native/vector_math.h"
#if !defined(__CUDACC_RTC__)
#include "native/launcher.h"
#include "native/parallel.h"
#endif

namespace yolox {

// Threads of a CUDA block, in the kernels and their launches.
constexpr int kDecodeNmsThreads = 256;

// Values before the class logits of an anchor: x, y, width, height, objectness.
constexpr int kBoxValues = 5;

// Below it no class is the best, nor is NaN; where none is left, the first.
constexpr float kLowestLogit = -3.40282347e38f;

struct DecodeNms {
  AnchorGrid anchors;
  int batch, classes;
  float confidence;  // lowest score kept
  float iou;         // a box that overlaps a better one by more is dropped
  int candidates;    // best boxes that enter the suppression, at most one an anchor
  int detections;    // best boxes that leave it: K
  int agnostic;      // whether boxes of different classes meet

  YOLOX_HOST_DEVICE int row() const { return kBoxValues + classes; }
};

// Rows from count on are zero.
struct Detections {
  float* boxes;        // [N,K,4] x1, y1, x2, y2 in input pixels
  float* objectness;   // [N,K]
  float* probability;  // [N,K]
  float* classes;      // [N,K]
  float* count;        // [N]
};

// A CUDA float4 by another name.
struct alignas(16) CornerBox {
  float x1, y1, x2, y2;
};

YOLOX_HOST_DEVICE inline CornerBox decode_box(const AnchorGrid& anchors, int index, const float* raw) {
  const Anchor anchor = anchor_at(anchors, index);
  const float x = (raw[0] + anchor.x) * anchor.stride, y = (raw[1] + anchor.y) * anchor.stride;
  const float half_width = fast_exp(raw[2]) * anchor.stride / 2, half_height = fast_exp(raw[3]) * anchor.stride / 2;
  return {x - half_width, y - half_height, x + half_width, y + half_height};
}

YOLOX_HOST_DEVICE inline float area(const CornerBox& box) { return (box.x2 - box.x1) * (box.y2 - box.y1); }

// Intersection over union of boxes with areas; without any area 0 or NaN, which no threshold is below.
YOLOX_HOST_DEVICE inline float overlap(const CornerBox& a, float area_a, const CornerBox& b, float area_b) {
  const float width = (a.x2 < b.x2 ? a.x2 : b.x2) - (a.x1 > b.x1 ? a.x1 : b.x1);
  const float height = (a.y2 < b.y2 ? a.y2 : b.y2) - (a.y1 > b.y1 ? a.y1 : b.y1);
  const float both = (width > 0 ? width : 0) * (height > 0 ? height : 0);
  return both / (area_a + area_b - both);
}

// Orders candidates: the greater the better. Higher scores (which are not negative) first, then lower anchors.
YOLOX_HOST_DEVICE inline uint64_t rank_key(float score, int anchor) {
#if defined(__CUDACC_RTC__)
  const uint32_t bits = __float_as_uint(score);
#else
  const uint32_t bits = __builtin_bit_cast(uint32_t, score);
#endif
  return static_cast<uint64_t>(bits) << 32 | static_cast<uint32_t>(~anchor);
}

YOLOX_HOST_DEVICE inline int anchor_of(uint64_t key) { return ~static_cast<int>(static_cast<uint32_t>(key)); }

// Writes detection k of image n.
YOLOX_HOST_DEVICE inline void write_detection(const DecodeNms& op, const Detections& out, int n, int k,
                                              const CornerBox& box, const float* raw, int class_index) {
  const int64_t at = static_cast<int64_t>(n) * op.detections + k;
  out.boxes[4 * at] = box.x1;
  out.boxes[4 * at + 1] = box.y1;
  out.boxes[4 * at + 2] = box.x2;
  out.boxes[4 * at + 3] = box.y2;
  out.objectness[at] = fast_sigmoid(raw[4]);
  out.probability[at] = fast_sigmoid(raw[kBoxValues + class_index]);
  out.classes[at] = static_cast<float>(class_index);
}

YOLOX_HOST_DEVICE inline void clear_detection(const DecodeNms& op, const Detections& out, int n, int k) {
  const int64_t at = static_cast<int64_t>(n) * op.detections + k;
  for (int i = 0; i < 4; ++i) out.boxes[4 * at + i] = 0;
  out.objectness[at] = out.probability[at] = out.classes[at] = 0;
}

#if !defined(__CUDACC_RTC__)

// Floats that hold so many bytes.
inline int64_t floats_of(int64_t bytes) { return (bytes + sizeof(float) - 1) / sizeof(float); }

// raw is [N,A,5+C], C at least 1. `scratch`: aligned to 16 bytes, as many floats as the function before says.
int64_t decode_nms_cpu_scratch(const DecodeNms& op);
void decode_nms_cpu(const ParallelFor& parallel_for, const DecodeNms& op, const float* raw, const Detections& out,
                    void* scratch);
int64_t decode_nms_cuda_scratch(const DecodeNms& op);
void decode_nms_cuda(Launcher& launch, const DecodeNms& op, const float* raw, const Detections& out, void* scratch);

#endif

}  // namespace yolox
