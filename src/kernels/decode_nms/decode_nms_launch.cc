// Three launches for a whole batch; nothing is read back.
#include "decode_nms/decode_nms.h"

namespace yolox {
namespace {

constexpr unsigned kThreads = kDecodeNmsThreads;
constexpr int kWarpsPerBlock = kThreads / kWarp;

}  // namespace

int64_t decode_nms_cuda_scratch(const DecodeNms& op) {
  const int64_t per_candidate = sizeof(CornerBox) + sizeof(uint64_t), per_anchor = sizeof(uint64_t) + sizeof(int);
  return floats_of(op.batch * (op.candidates * per_candidate + op.anchors.count * per_anchor + sizeof(int)));
}

void decode_nms_cuda(Launcher& launch, const DecodeNms& op, const float* raw, const Detections& out, void* scratch) {
  if (op.batch == 0) return;
  const int64_t anchors = static_cast<int64_t>(op.batch) * op.anchors.count;
  const int64_t candidates = static_cast<int64_t>(op.batch) * op.candidates;
  CornerBox* boxes = static_cast<CornerBox*>(scratch);
  auto* ranked = reinterpret_cast<uint64_t*>(boxes + candidates);
  uint64_t* keys = ranked + candidates;
  int* classes = reinterpret_cast<int*>(keys + anchors);
  int* counts = classes + anchors;
  launch.zero(counts, op.batch * sizeof(int));
  if (anchors > 0) {
    launch("decode_nms_score", {blocks_for(anchors, kWarpsPerBlock)}, {kThreads}, 0, op, raw, keys, classes, counts);
    launch("decode_nms_rank", {blocks_for(op.anchors.count, kThreads), static_cast<unsigned>(op.batch)}, {kThreads}, 0,
           op, raw, static_cast<const uint64_t*>(keys), static_cast<const int*>(counts), boxes, ranked);
  }
  launch("decode_nms_suppress", {static_cast<unsigned>(op.batch)}, {kThreads}, 0, op, raw,
         static_cast<const int*>(counts), static_cast<const int*>(classes), static_cast<const CornerBox*>(boxes),
         static_cast<const uint64_t*>(ranked), out);
}

}  // namespace yolox
