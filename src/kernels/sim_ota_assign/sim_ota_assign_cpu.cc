// SimOTA on the CPU: candidates of every image, then their class costs, then each object's choice, then conflicts.
// Costs are computed as they are needed and never stored.
#include <algorithm>
#include <cstring>

#include "sim_ota_assign/sim_ota_assign.h"

namespace yolox {
namespace {

// Candidates, or objects, of one turn of parallel_for.
constexpr int64_t kBlock = 32;
// Factors of at least 2^-24, what 1 − p is for a float32 p below 1, that a double can hold the product of.
constexpr int kFactors = 40;

constexpr int kUnclaimed = -1;
constexpr int kContested = -2;

struct Object {
  GroundTruth truth;
  int image, row;
};

// Lists over the whole batch, image after image; first_…[n] is where those of image n begin.
struct Workspace {
  Candidate* candidates;
  Object* objects;
  // By object: candidates it claims, the first kUnclaimed ending the list if there are fewer than all.
  int (*claims)[kTopCandidates];
  // By candidate: index of the object that has claimed it, kUnclaimed or kContested.
  int* owners;
  int* first_candidate;
  int* first_object;
  uint8_t* able;  // by anchor: whether it is a candidate
};

template <typename T>
T* take(uintptr_t* memory, int64_t count) {
  T* result = reinterpret_cast<T*>(*memory);
  *memory += (count * sizeof(T) + 7) / 8 * 8;
  return result;
}

// Moves `memory` from the workspace's begin, 0 to learn its size, to its end.
Workspace lay_out(const SimOta& op, uintptr_t* memory) {
  const int64_t anchors = static_cast<int64_t>(op.batch) * op.anchors.count;
  const int64_t objects = static_cast<int64_t>(op.batch) * op.rows;
  Workspace w;
  w.candidates = take<Candidate>(memory, anchors);
  w.objects = take<Object>(memory, objects);
  w.claims = reinterpret_cast<int(*)[kTopCandidates]>(take<int>(memory, objects * kTopCandidates));
  w.owners = take<int>(memory, anchors);
  w.first_candidate = take<int>(memory, op.batch + 1);
  w.first_object = take<int>(memory, op.batch + 1);
  w.able = take<uint8_t>(memory, anchors);
  return w;
}

// e^x for |x| ≤ 700, further ones clamped, NaN for NaN: without branches or calls, for vector code.
inline double exp_of(double x) {
  // 1.5·2⁵²: adding it leaves the nearest integer in the low bits of the sum.
  const double kRound = 6755399441055744.0;
  x = x > 700 ? 700 : x;
  x = x < -700 ? -700 : x;
  const double shifted = x * 1.4426950408889634 + kRound;
  const double n = shifted - kRound;
  // ln 2 in two parts, the first short enough for n times it to be exact.
  const double r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
  double p = 1.0 / 6227020800;
  p = p * r + 1.0 / 479001600;
  p = p * r + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  const int64_t exponent = __builtin_bit_cast(int64_t, shifted) - __builtin_bit_cast(int64_t, kRound);
  const double scale = __builtin_bit_cast(double, static_cast<int64_t>(static_cast<uint64_t>(exponent + 1023) << 52));
  return (p * (r * r) + r + 1) * scale;
}

// −Σ clamped log(1 − p) over all classes: a logarithm of products instead of a sum of logarithms.
double negative_cost(const float* logits, int classes, double objectness) {
  double sum = 0;
  for (int first = 0; first < classes; first += kFactors) {
    const int end = std::min(first + kFactors, classes);
    double product = 1;
    double certain = 0;
#pragma omp simd reduction(* : product) reduction(+ : certain)
    for (int c = first; c < end; c++) {
      const float p = static_cast<float>(std::sqrt(objectness / (1 + exp_of(-static_cast<double>(logits[c])))));
      const double rest = 1 - static_cast<double>(p);
      certain += rest == 0 ? 1.0 : 0.0;
      product *= rest == 0 ? 1.0 : rest;
    }
    sum -= std::log(product) + certain * kMinLog;
  }
  return sum;
}

// Indices [first, end) of the cells whose centres may lie within `half` of `centre`.
struct Range {
  int first, end;
};

Range cells_within(double centre, double half, double stride, int count) {
  const auto clamp = [count](double x) { return static_cast<int>(std::clamp(x, 0.0, static_cast<double>(count))); };
  // One more on either side, for the rounding.
  return {clamp(std::floor((centre - half) / stride) - 1), clamp(std::ceil((centre + half) / stride) + 1)};
}

// Sets `able` of the anchors that are candidates because of an object.
void mark(const SimOta& op, const Box& box, uint8_t* able) {
  for (int k = 0; k < op.anchors.levels; k++) {
    const AnchorLevel& level = op.anchors.level[k];
    const double near = static_cast<double>(op.radius) * level.stride;
    const auto reach = [&](float side) { return op.in_box ? std::max(near, 0.5 * side) : near; };
    const Range columns = cells_within(box.cx, reach(box.w), level.stride, level.columns);
    const Range rows = cells_within(box.cy, reach(box.h), level.stride, level.rows);
    for (int row = rows.first; row < rows.end; row++) {
      uint8_t* line = able + level.first + row * level.columns;
      const float y = (row + 0.5f) * level.stride;
      for (int column = columns.first; column < columns.end; column++) {
        line[column] |= is_candidate(op, box, (column + 0.5f) * level.stride, y, level.stride);
      }
    }
  }
}

const float* outputs_of(const SimOta& op, const float* raw, int image, int anchor) {
  return raw + (static_cast<int64_t>(image) * op.anchors.count + anchor) * op.columns();
}

int list_objects(const SimOta& op, const float* labels, const Workspace& w) {
  int count = 0;
  for (int n = 0; n < op.batch; n++) {
    w.first_object[n] = count;
    for (int row = 0; row < op.rows; row++) {
      const GroundTruth truth = read_object(labels + (static_cast<int64_t>(n) * op.rows + row) * 5, op.classes);
      if (truth.label >= 0) w.objects[count++] = {truth, n, row};
    }
  }
  w.first_object[op.batch] = count;
  return count;
}

int list_candidates(const SimOta& op, const Workspace& w, const ParallelFor& parallel_for) {
  const int anchors = op.anchors.count;
  parallel_for(op.batch, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; n++) {
      uint8_t* able = w.able + n * anchors;
      std::memset(able, 0, anchors);
      for (int g = w.first_object[n]; g < w.first_object[n + 1]; g++) mark(op, w.objects[g].truth.box, able);
      int count = 0;
      for (int i = 0; i < anchors; i++) count += able[i];
      w.first_candidate[n + 1] = count;
    }
  });
  w.first_candidate[0] = 0;
  for (int n = 0; n < op.batch; n++) w.first_candidate[n + 1] += w.first_candidate[n];
  parallel_for(op.batch, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; n++) {
      int j = w.first_candidate[n];
      for (int i = 0; i < anchors; i++) {
        if (w.able[n * anchors + i]) w.candidates[j++].anchor = i;
      }
    }
  });
  return w.first_candidate[op.batch];
}

int image_of(const SimOta& op, const Workspace& w, int candidate) {
  return static_cast<int>(std::upper_bound(w.first_candidate, w.first_candidate + op.batch + 1, candidate) -
                          w.first_candidate) -
         1;
}

void score(const SimOta& op, const float* raw, const Workspace& w, int j) {
  Candidate& candidate = w.candidates[j];
  const float* row = outputs_of(op, raw, image_of(op, w, j), candidate.anchor);
  candidate = make_candidate(row, anchor_at(op.anchors, candidate.anchor), candidate.anchor);
  candidate.negative = negative_cost(row + 5, op.classes, candidate.objectness);
  w.owners[j] = kUnclaimed;
}

// The object's dynamic k: its best IoUs summed in float32, cut to a whole number, at least 1.
int dynamic_k(const TopList& negative_ious) {
  float sum = 0;
  for (const Entry& e : negative_ious.entry) {
    if (e.index != kNobody) sum -= e.cost;
  }
  return std::clamp(static_cast<int>(sum), 1, kTopCandidates);
}

void claim(const SimOta& op, const float* raw, const Workspace& w, int g) {
  const Object& object = w.objects[g];
  const int first = w.first_candidate[object.image], end = w.first_candidate[object.image + 1];
  TopList ious, costs;
  ious.clear();
  costs.clear();
  const auto offer_cost = [&](int j, double iou, bool placed) {
    const Candidate& c = w.candidates[j];
    const float* row = outputs_of(op, raw, object.image, c.anchor);
    costs.offer({pair_cost(op, c, row, object.truth, iou, placed), j});
  };
  for (int j = first; j < end; j++) {
    const Candidate& c = w.candidates[j];
    const double iou = box_iou(c.box, object.truth.box);
    if (iou > 0) ious.offer({-static_cast<float>(iou), j});
    if (well_placed(op, object.truth.box, c)) offer_cost(j, iou, true);
  }
  if (costs.entry[kTopCandidates - 1].cost >= placed_limit(op)) {
    for (int j = first; j < end; j++) {
      const Candidate& c = w.candidates[j];
      if (!well_placed(op, object.truth.box, c)) offer_cost(j, box_iou(c.box, object.truth.box), false);
    }
  }
  const int k = dynamic_k(ious);
  for (int i = 0; i < kTopCandidates; i++) {
    const int j = costs.entry[i].index;
    w.claims[g][i] = i < k && j != kNobody ? j : kUnclaimed;
  }
}

// The object of the image for which candidate j costs least.
int cheapest_object(const SimOta& op, const float* raw, const Workspace& w, int image, int j) {
  const Candidate& c = w.candidates[j];
  const float* row = outputs_of(op, raw, image, c.anchor);
  Entry best = {kWorstCost, kNobody};
  for (int g = w.first_object[image]; g < w.first_object[image + 1]; g++) {
    const GroundTruth& truth = w.objects[g].truth;
    const bool placed = well_placed(op, truth.box, c);
    if (!placed && best.cost < placed_limit(op)) continue;
    const Entry e = {pair_cost(op, c, row, truth, box_iou(c.box, truth.box), placed), g};
    if (before(e, best)) best = e;
  }
  return best.index;
}

void note_claims(const SimOta& op, const Workspace& w) {
  for (int g = 0; g < w.first_object[op.batch]; g++) {
    for (int j : w.claims[g]) {
      if (j != kUnclaimed) w.owners[j] = w.owners[j] == kUnclaimed ? g : kContested;
    }
  }
}

// Writes what candidate j learns, if anything.
void settle(const SimOta& op, const float* raw, const Workspace& w, const SimOtaOutputs& out, int j) {
  if (w.owners[j] == kUnclaimed) return;
  const int image = image_of(op, w, j);
  if (w.owners[j] == kContested) w.owners[j] = cheapest_object(op, raw, w, image, j);
  const Candidate& c = w.candidates[j];
  const Object& object = w.objects[w.owners[j]];
  const int64_t at = static_cast<int64_t>(image) * op.anchors.count + c.anchor;
  out.matched_gt[at] = static_cast<float>(object.row);
  out.matched_iou[at] = static_cast<float>(box_iou(c.box, object.truth.box));
}

// body(i) for every i of [0, count).
template <typename Body>
void for_each(const ParallelFor& parallel_for, int64_t count, int64_t block, const Body& body) {
  parallel_for((count + block - 1) / block, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * block; i < std::min(end * block, count); i++) body(static_cast<int>(i));
  });
}

}  // namespace

int64_t sim_ota_assign_cpu_scratch(const SimOta& op) {
  uintptr_t bytes = 0;
  lay_out(op, &bytes);
  return static_cast<int64_t>(bytes / sizeof(float));
}

void sim_ota_assign_cpu(const ParallelFor& parallel_for, const SimOta& op, const float* raw, const float* labels,
                        const SimOtaOutputs& out, float* scratch) {
  uintptr_t memory = reinterpret_cast<uintptr_t>(scratch);
  const Workspace w = lay_out(op, &memory);
  const int64_t anchors = static_cast<int64_t>(op.batch) * op.anchors.count;
  std::fill_n(out.matched_gt, anchors, -1.0f);
  std::fill_n(out.matched_iou, anchors, 0.0f);

  const int objects = list_objects(op, labels, w);
  const int candidates = list_candidates(op, w, parallel_for);
  for_each(parallel_for, candidates, kBlock, [&](int j) { score(op, raw, w, j); });
  for_each(parallel_for, objects, 1, [&](int g) { claim(op, raw, w, g); });
  note_claims(op, w);
  for_each(parallel_for, candidates, kBlock, [&](int j) { settle(op, raw, w, out, j); });
  out.num_fg[0] = static_cast<float>(std::count_if(w.owners, w.owners + candidates, [](int g) { return g >= 0; }));
}

}  // namespace yolox
