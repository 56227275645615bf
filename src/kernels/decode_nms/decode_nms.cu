// CUDA kernels. Candidates are ranked by counting the better ones, whose order atomics can't disturb; suppression
// goes through them 64 at a time, one block an image, and stops when there are detections enough.
#include "decode_nms/decode_nms.h"

namespace {

using yolox::CornerBox;
using yolox::DecodeNms;
using yolox::Detections;

constexpr int kThreads = yolox::kDecodeNmsThreads;
constexpr unsigned kFull = 0xffffffffu;
// Candidates settled at once, and threads that compare each with others.
constexpr int kChunk = 64;
constexpr int kHelpers = kThreads / kChunk;

__device__ const float* row_of(const DecodeNms& op, const float* raw, int n, int anchor) {
  return raw + (static_cast<int64_t>(n) * op.anchors.count + anchor) * op.row();
}

}  // namespace

// One warp an anchor. keys [N,A]: those of the candidates, in any order, counts [N] of them;
// classes [N,A]: best class of each candidate, by anchor.
extern "C" __global__ void decode_nms_score(DecodeNms op, const float* raw, uint64_t* keys, int* classes, int* counts) {
  const int64_t index = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) / yolox::kWarp;
  if (index >= static_cast<int64_t>(op.batch) * op.anchors.count) return;
  const int n = static_cast<int>(index / op.anchors.count), anchor = static_cast<int>(index % op.anchors.count);
  const int lane = static_cast<int>(threadIdx.x % yolox::kWarp);
  const float* values = row_of(op, raw, n, anchor);
  const float objectness = yolox::fast_sigmoid(values[4]);
  if (!(objectness >= op.confidence)) return;
  // Of equal logits the first.
  float best = yolox::kLowestLogit;
  int top = 0x7fffffff;
  for (int c = lane; c < op.classes; c += yolox::kWarp) {
    const float logit = values[yolox::kBoxValues + c];
    if (logit > best || (logit == best && c < top)) {
      best = logit;
      top = c;
    }
  }
  for (int distance = 16; distance > 0; distance /= 2) {
    const float other = __shfl_xor_sync(kFull, best, distance);
    const int other_top = __shfl_xor_sync(kFull, top, distance);
    if (other > best || (other == best && other_top < top)) {
      best = other;
      top = other_top;
    }
  }
  if (lane != 0) return;
  if (top == 0x7fffffff) top = 0;
  const float score = objectness * yolox::fast_sigmoid(values[yolox::kBoxValues + top]);
  if (!(score >= op.confidence)) return;
  keys[static_cast<int64_t>(n) * op.anchors.count + atomicAdd(&counts[n], 1)] = yolox::rank_key(score, anchor);
  classes[index] = top;
}

// Grid: blocks of candidates, images. By rank: boxes [N,M], and the key of each, ranked [N,M], with M candidates.
extern "C" __global__ void decode_nms_rank(DecodeNms op, const float* raw, const uint64_t* keys, const int* counts,
                                           CornerBox* boxes, uint64_t* ranked) {
  __shared__ uint64_t tile[kThreads];
  const int n = static_cast<int>(blockIdx.y), count = counts[n];
  if (static_cast<int>(blockIdx.x) * kThreads >= count) return;
  keys += static_cast<int64_t>(n) * op.anchors.count;
  const int i = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  const uint64_t key = i < count ? keys[i] : 0;
  int rank = 0;
  for (int begin = 0; begin < count; begin += kThreads) {
    const int from = begin + static_cast<int>(threadIdx.x);
    __syncthreads();
    tile[threadIdx.x] = from < count ? keys[from] : 0;
    __syncthreads();
    for (int k = 0; k < kThreads; ++k) rank += tile[k] > key;
  }
  if (i >= count || rank >= op.candidates) return;
  const int anchor = yolox::anchor_of(key);
  const int64_t at = static_cast<int64_t>(n) * op.candidates + rank;
  boxes[at] = yolox::decode_box(op.anchors, anchor, row_of(op, raw, n, anchor));
  ranked[at] = key;
}

// One block an image.
extern "C" __global__ void decode_nms_suppress(DecodeNms op, const float* raw, const int* counts, const int* classes,
                                               const CornerBox* boxes, const uint64_t* ranked, Detections out) {
  __shared__ CornerBox box[kChunk];
  __shared__ int anchor[kChunk], label[kChunk], chosen[kChunk];
  __shared__ unsigned dropped[2];         // bits: overlaps a box kept before
  __shared__ unsigned rivals[kChunk][2];  // bits: later ones of the chunk that each overlaps
  __shared__ int added;
  const int n = static_cast<int>(blockIdx.x), thread = static_cast<int>(threadIdx.x);
  const int count = counts[n] < op.candidates ? counts[n] : op.candidates;
  const CornerBox* kept_boxes = reinterpret_cast<const CornerBox*>(out.boxes) + static_cast<int64_t>(n) * op.detections;
  const float* kept_labels = out.classes + static_cast<int64_t>(n) * op.detections;
  const int64_t first = static_cast<int64_t>(n) * op.candidates;
  int kept = 0;
  for (int begin = 0; begin < count && kept < op.detections; begin += kChunk) {
    const int size = count - begin < kChunk ? count - begin : kChunk;
    if (thread < size) {
      box[thread] = boxes[first + begin + thread];
      anchor[thread] = yolox::anchor_of(ranked[first + begin + thread]);
      label[thread] = classes[static_cast<int64_t>(n) * op.anchors.count + anchor[thread]];
      rivals[thread][0] = rivals[thread][1] = 0;
    }
    if (thread < 2) dropped[thread] = 0;
    __syncthreads();

    const int mine = thread % kChunk, helper = thread / kChunk;
    if (mine < size) {
      const CornerBox own = box[mine];
      const float own_area = yolox::area(own);
      bool met = false;
      for (int k = helper; k < kept && !met; k += kHelpers) {
        if (!op.agnostic && static_cast<int>(kept_labels[k]) != label[mine]) continue;
        met = yolox::overlap(kept_boxes[k], yolox::area(kept_boxes[k]), own, own_area) > op.iou;
      }
      if (met) atomicOr(&dropped[mine / 32], 1u << mine % 32);
      for (int other = mine + 1 + helper; other < size; other += kHelpers) {
        if (!op.agnostic && label[other] != label[mine]) continue;
        if (yolox::overlap(own, own_area, box[other], yolox::area(box[other])) > op.iou)
          atomicOr(&rivals[mine][other / 32], 1u << other % 32);
      }
    }
    __syncthreads();

    if (thread == 0) {
      unsigned out_of_it[2] = {dropped[0], dropped[1]};
      int next = 0;
      for (int i = 0; i < size && kept + next < op.detections; ++i) {
        if (out_of_it[i / 32] >> i % 32 & 1) continue;
        chosen[next++] = i;
        out_of_it[0] |= rivals[i][0];
        out_of_it[1] |= rivals[i][1];
      }
      added = next;
    }
    __syncthreads();

    if (thread < added) {
      const int i = chosen[thread];
      yolox::write_detection(op, out, n, kept + thread, box[i], row_of(op, raw, n, anchor[i]), label[i]);
    }
    kept += added;
    __syncthreads();
  }
  if (thread == 0) out.count[n] = static_cast<float>(kept);
  for (int k = kept + thread; k < op.detections; k += kThreads) yolox::clear_detection(op, out, n, k);
}
