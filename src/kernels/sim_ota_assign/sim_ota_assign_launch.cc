// The order of SimOTA's kernels on a GPU.
#include "sim_ota_assign/sim_ota_assign.h"

namespace yolox {
namespace {

constexpr unsigned kThreads = kSimOtaThreads;
constexpr int kWarpsPerBlock = kThreads / kWarp;
// Blocks an image for the kernels that walk its candidates, whose number only the device knows.
constexpr int kBlocks = 64;

}  // namespace

int64_t sim_ota_assign_cuda_scratch(const SimOta& op) {
  const int64_t anchors = static_cast<int64_t>(op.batch) * op.anchors.count;
  return anchors * static_cast<int64_t>(sizeof(Candidate) / sizeof(float) + 4) + op.batch;
}

void sim_ota_assign_cuda(Launcher& launch, const SimOta& op, const float* raw, const float* labels,
                         const SimOtaOutputs& out, float* scratch) {
  launch.zero(out.num_fg, sizeof(float));
  const int64_t anchors = static_cast<int64_t>(op.batch) * op.anchors.count;
  if (anchors == 0) return;
  const unsigned batch = op.batch;
  Candidate* candidates = reinterpret_cast<Candidate*>(scratch);
  int* able = reinterpret_cast<int*>(candidates + anchors);
  int* chosen = able + anchors;
  int* claims = chosen + anchors;
  int* claim_rows = claims + anchors;
  int* counts = claim_rows + anchors;

  launch("sim_ota_mark", {blocks_for(op.anchors.count, kThreads), batch}, {kThreads}, 0, op, labels, able, claims,
         claim_rows, out.matched_gt, out.matched_iou);
  if (op.rows == 0) return;
  const Dim walk = {kBlocks, batch};
  launch("sim_ota_compact", {batch}, {kThreads}, 0, op, static_cast<const int*>(able), chosen, counts);
  launch("sim_ota_score", walk, {kThreads}, 0, op, raw, static_cast<const int*>(chosen),
         static_cast<const int*>(counts), candidates);
  launch("sim_ota_claim", {blocks_for(op.rows, kWarpsPerBlock), batch}, {kThreads}, 0, op, raw, labels,
         static_cast<const Candidate*>(candidates), static_cast<const int*>(counts), claims, claim_rows);
  launch("sim_ota_match", walk, {kThreads}, 0, op, raw, labels, static_cast<const Candidate*>(candidates),
         static_cast<const int*>(counts), static_cast<const int*>(claims), static_cast<const int*>(claim_rows),
         out.matched_gt, out.matched_iou, out.num_fg);
}

}  // namespace yolox
