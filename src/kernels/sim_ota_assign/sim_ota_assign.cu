// SimOTA on a GPU, in the order of the kernels below. Lists have a place for every anchor of every image; grids are
// sized for that, and blocks beyond what an image has end at once.
#include "native/host_device.h"
#include "sim_ota_assign/sim_ota_assign.h"

using namespace yolox;

namespace {

constexpr unsigned kFullMask = 0xffffffffu;
// Label rows that a block keeps at hand.
constexpr int kTile = 256;
// Factors of at least 2^-24, what 1 − p is for a float32 p below 1, that a double can hold the product of.
constexpr int kFactors = 40;

__device__ const float* outputs_of(const SimOta& op, const float* raw, int image, int anchor) {
  return raw + (static_cast<int64_t>(image) * op.anchors.count + anchor) * op.columns();
}

__device__ GroundTruth object_of(const SimOta& op, const float* labels, int image, int row) {
  return read_object(labels + (static_cast<int64_t>(image) * op.rows + row) * 5, op.classes);
}

// The first entry of a warp's, in all its lanes.
__device__ Entry first_of_warp(Entry mine) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    const Entry other = {__shfl_xor_sync(kFullMask, mine.cost, offset), __shfl_xor_sync(kFullMask, mine.index, offset)};
    if (before(other, mine)) mine = other;
  }
  return mine;
}

// Takes the first entry of all lanes' lists off its list.
__device__ Entry take_first(TopList& list) {
  const Entry best = first_of_warp(list.entry[0]);
  if (best.index != kNobody && best.index == list.entry[0].index) {
    for (int i = 1; i < kTopCandidates; i++) list.entry[i - 1] = list.entry[i];
    list.entry[kTopCandidates - 1] = {kWorstCost, kNobody};
  }
  return best;
}

}  // namespace

// able [N,A]: 1 where an anchor is a candidate. Clears the outputs and the counts of claims as well.
extern "C" __global__ void sim_ota_mark(SimOta op, const float* labels, int* able, int* claims, int* claim_rows,
                                        float* matched_gt, float* matched_iou) {
  __shared__ GroundTruth objects[kTile];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const int image = blockIdx.y;
  const Anchor anchor = anchor_at(op.anchors, i);
  const float x = (anchor.x + 0.5f) * anchor.stride, y = (anchor.y + 0.5f) * anchor.stride;
  bool found = false;
  for (int first = 0; first < op.rows; first += kTile) {
    const int count = op.rows - first < kTile ? op.rows - first : kTile;
    __syncthreads();
    for (int k = threadIdx.x; k < count; k += blockDim.x) objects[k] = object_of(op, labels, image, first + k);
    __syncthreads();
    for (int k = 0; k < count && !found; k++) {
      found = objects[k].label >= 0 && is_candidate(op, objects[k].box, x, y, anchor.stride);
    }
  }
  if (i >= op.anchors.count) return;
  const int64_t at = static_cast<int64_t>(image) * op.anchors.count + i;
  able[at] = found;
  claims[at] = 0;
  claim_rows[at] = 0;
  matched_gt[at] = -1;
  matched_iou[at] = 0;
}

// A block an image: chosen [N,A] gets the indices of the able anchors, in order, counts [N] their number.
extern "C" __global__ void sim_ota_compact(SimOta op, const int* able, int* chosen, int* counts) {
  __shared__ int ends[kSimOtaThreads];
  const int image = blockIdx.x, thread = threadIdx.x;
  const int64_t base = static_cast<int64_t>(image) * op.anchors.count;
  const int share = (op.anchors.count + blockDim.x - 1) / blockDim.x;
  const int first = thread * share;
  const int end = first + share < op.anchors.count ? first + share : op.anchors.count;
  int count = 0;
  for (int i = first; i < end; i++) count += able[base + i];
  ends[thread] = count;
  __syncthreads();
  for (int step = 1; step < static_cast<int>(blockDim.x); step *= 2) {
    const int before = thread >= step ? ends[thread - step] : 0;
    __syncthreads();
    ends[thread] += before;
    __syncthreads();
  }
  int slot = ends[thread] - count;
  for (int i = first; i < end; i++) {
    if (able[base + i]) chosen[base + slot++] = i;
  }
  if (thread == static_cast<int>(blockDim.x) - 1) counts[image] = ends[thread];
}

// A warp a candidate: its box and the part of its class cost that all objects share.
extern "C" __global__ void sim_ota_score(SimOta op, const float* raw, const int* chosen, const int* counts,
                                         Candidate* candidates) {
  const int image = blockIdx.y, lane = threadIdx.x % kWarp;
  const int warps = gridDim.x * blockDim.x / kWarp;
  const int64_t base = static_cast<int64_t>(image) * op.anchors.count;
  for (int j = (blockIdx.x * blockDim.x + threadIdx.x) / kWarp; j < counts[image]; j += warps) {
    const int anchor = chosen[base + j];
    const float* row = outputs_of(op, raw, image, anchor);
    const double objectness = sigmoid(row[4]);
    double sum = 0, product = 1;
    int factors = 0;
    for (int c = lane; c < op.classes; c += kWarp) {
      const float p = static_cast<float>(sqrt(sigmoid(row[5 + c]) * objectness));
      const double rest = 1 - static_cast<double>(p);
      if (rest == 0) {
        sum -= kMinLog;
      } else {
        product *= rest;
      }
      if (++factors % kFactors == 0) {
        sum -= log(product);
        product = 1;
      }
    }
    sum -= log(product);
    for (int offset = kWarp / 2; offset > 0; offset /= 2) sum += __shfl_xor_sync(kFullMask, sum, offset);
    if (lane == 0) {
      Candidate candidate = make_candidate(row, anchor_at(op.anchors, anchor), anchor);
      candidate.negative = sum;
      candidates[base + j] = candidate;
    }
  }
}

// A warp an object: notes for each candidate how many objects claim it, and the sum of their rows.
extern "C" __global__ void sim_ota_claim(SimOta op, const float* raw, const float* labels, const Candidate* candidates,
                                         const int* counts, int* claims, int* claim_rows) {
  const int row = (blockIdx.x * blockDim.x + threadIdx.x) / kWarp;
  const int image = blockIdx.y, lane = threadIdx.x % kWarp;
  if (row >= op.rows) return;
  const GroundTruth object = object_of(op, labels, image, row);
  if (object.label < 0) return;
  const int64_t base = static_cast<int64_t>(image) * op.anchors.count;
  const int count = counts[image];
  candidates += base;

  TopList ious, costs;
  ious.clear();
  costs.clear();
  for (int j = lane; j < count; j += kWarp) {
    const Candidate& c = candidates[j];
    const double iou = box_iou(c.box, object.box);
    if (iou > 0) ious.offer({-static_cast<float>(iou), j});
    if (!well_placed(op, object.box, c)) continue;
    costs.offer({pair_cost(op, c, outputs_of(op, raw, image, c.anchor), object, iou, true), j});
  }
  int enough = 0;
  for (int i = 0; i < kTopCandidates; i++) enough += costs.entry[i].cost < placed_limit(op);
  for (int offset = kWarp / 2; offset > 0; offset /= 2) enough += __shfl_xor_sync(kFullMask, enough, offset);
  for (int j = lane; enough < kTopCandidates && j < count; j += kWarp) {
    const Candidate& c = candidates[j];
    if (well_placed(op, object.box, c)) continue;
    const double iou = box_iou(c.box, object.box);
    costs.offer({pair_cost(op, c, outputs_of(op, raw, image, c.anchor), object, iou, false), j});
  }

  float sum = 0;
  for (int i = 0; i < kTopCandidates; i++) {
    const Entry e = take_first(ious);
    if (e.index != kNobody) sum -= e.cost;
  }
  const int k = sum < 1 ? 1 : sum > kTopCandidates ? kTopCandidates : static_cast<int>(sum);
  for (int i = 0; i < k; i++) {
    const Entry e = take_first(costs);
    if (lane == 0 && e.index != kNobody) {
      atomicAdd(&claims[base + e.index], 1);
      atomicAdd(&claim_rows[base + e.index], row);
    }
  }
}

// A warp a candidate: the one object that claims it, or of all objects the one it costs least.
extern "C" __global__ void sim_ota_match(SimOta op, const float* raw, const float* labels, const Candidate* candidates,
                                         const int* counts, const int* claims, const int* claim_rows, float* matched_gt,
                                         float* matched_iou, float* num_fg) {
  const int image = blockIdx.y, lane = threadIdx.x % kWarp;
  const int warps = gridDim.x * blockDim.x / kWarp;
  const int64_t base = static_cast<int64_t>(image) * op.anchors.count;
  for (int j = (blockIdx.x * blockDim.x + threadIdx.x) / kWarp; j < counts[image]; j += warps) {
    if (claims[base + j] == 0) continue;
    const Candidate& c = candidates[base + j];
    int winner = claim_rows[base + j];
    if (claims[base + j] > 1) {
      const float* outputs = outputs_of(op, raw, image, c.anchor);
      Entry best = {kWorstCost, kNobody};
      for (int row = lane; row < op.rows; row += kWarp) {
        const GroundTruth object = object_of(op, labels, image, row);
        const bool placed = well_placed(op, object.box, c);
        if (object.label < 0 || (!placed && best.cost < placed_limit(op))) continue;
        const Entry e = {pair_cost(op, c, outputs, object, box_iou(c.box, object.box), placed), row};
        if (before(e, best)) best = e;
      }
      winner = first_of_warp(best).index;
    }
    if (lane == 0) {
      matched_gt[base + c.anchor] = winner;
      matched_iou[base + c.anchor] = box_iou(c.box, object_of(op, labels, image, winner).box);
      atomicAdd(num_fg, 1.0f);
    }
  }
}
