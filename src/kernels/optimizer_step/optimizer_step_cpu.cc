// CPU kernels: one pass over memory a step, or two with clipping. Blocks of fixed size make norms the same for any
// number of threads.
#include <algorithm>
#include <atomic>
#include <cstring>

#include "optimizer_step/optimizer_step.h"

namespace yolox {
namespace {

constexpr int64_t kBlock = 1 << 14;

int64_t blocks_of(int64_t size) { return (size + kBlock - 1) / kBlock; }

// Gradients and values of the gaps between tensors.
constexpr float kZeros[kFlatAlignment] = {};

// Calls body(segment, values, from, to) for the pieces of block `block`; values[0] belongs to `from`.
template <typename Body>
void for_pieces(const Segment* segments, int64_t count, int64_t size, int64_t block, const Body& body) {
  const int64_t begin = block * kBlock, end = std::min(begin + kBlock, size);
  const Segment* segment = std::upper_bound(segments, segments + count, begin,
                                            [](int64_t at, const Segment& next) { return at < next.offset; }) -
                           1;
  for (int64_t at = begin; at < end; ++segment) {
    const int64_t filled = std::min(segment->offset + segment->size, end), stop = std::min(segment->end(), end);
    if (at < filled) body(*segment, segment->values + (at - segment->offset), at, filled);
    at = std::max(at, filled);
    if (at < stop) body(*segment, kZeros, at, stop);
    at = std::max(at, stop);
  }
}

double square_sum(const float* __restrict values, int64_t count) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(values[i]) * values[i];
  return sum;
}

}  // namespace

int64_t optimizer_step_scratch(int64_t size, int64_t segments) {
  const int64_t launches = (segments + kSegmentsPerLaunch - 1) / kSegmentsPerLaunch;
  // Both devices: the CPU's sum of every block, or CUDA's and the factor of the gradients.
  return 2 * std::max(blocks_of(size), size / kFloatsPerBlock + launches + 1);
}

namespace {

double norm_squared(const ParallelFor& parallel_for, const Segment* segments, int64_t count, int64_t size,
                    double* partial) {
  parallel_for(blocks_of(size), [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block) {
      partial[block] = 0;
      for_pieces(segments, count, size, block, [&](const Segment&, const float* values, int64_t from, int64_t to) {
        partial[block] += square_sum(values, to - from);
      });
    }
  });
  double sum = 0;
  for (int64_t block = 0; block < blocks_of(size); ++block) sum += partial[block];
  return sum;
}

// Updates [from, to). Whether all gradients are finite.
template <bool kAdam, bool kAverage>
bool update(const StepBuffers& buffers, const StepRule rule, float scale, float decay,
            const float* __restrict gradients, int64_t from, int64_t to) {
  const float* __restrict parameters = buffers.parameters + from;
  const float* __restrict first = buffers.first + from;
  const float* __restrict second = kAdam ? buffers.second + from : nullptr;
  const float* __restrict average = kAverage ? buffers.average + from : nullptr;
  float* __restrict next_parameters = buffers.next_parameters + from;
  float* __restrict next_first = buffers.next_first + from;
  float* __restrict next_second = kAdam ? buffers.next_second + from : nullptr;
  float* __restrict next_average = kAverage ? buffers.next_average + from : nullptr;
  int wrong = 0;
#pragma omp simd reduction(| : wrong)
  for (int64_t i = 0; i < to - from; ++i) {
    wrong |= !is_finite(gradients[i]);
    const float gradient = gradients[i] * scale + decay * parameters[i];
    float m = first[i];
    float value;
    if (kAdam) {
      float v = second[i];
      value = adam(rule, parameters[i], gradient, &m, &v);
      next_second[i] = v;
    } else {
      value = sgd(rule, parameters[i], gradient, &m);
    }
    next_first[i] = m;
    next_parameters[i] = value;
    if (kAverage) next_average[i] = rule.average_decay * average[i] + rule.average_gain * value;
  }
  return !wrong;
}

using Update = decltype(&update<false, false>);

Update update_for(const StepBuffers& buffers, const StepRule& rule) {
  if (rule.adam) return buffers.average ? update<true, true> : update<true, false>;
  return buffers.average ? update<false, true> : update<false, false>;
}

void keep(const StepBuffers& buffers, int64_t size) {
  const size_t bytes = size * sizeof(float);
  std::memcpy(buffers.next_parameters, buffers.parameters, bytes);
  std::memcpy(buffers.next_first, buffers.first, bytes);
  if (buffers.second) std::memcpy(buffers.next_second, buffers.second, bytes);
  if (buffers.average) std::memcpy(buffers.next_average, buffers.average, bytes);
}

}  // namespace

bool optimizer_step_cpu(const ParallelFor& parallel_for, const Segment* segments, int64_t count, int64_t size,
                        const StepBuffers& buffers, const StepRule& rule, double* scratch) {
  const float scale = rule.clip_norm > 0
                          ? gradient_scale(rule, norm_squared(parallel_for, segments, count, size, scratch))
                          : rule.unscale;
  const Update step = update_for(buffers, rule);
  std::atomic<bool> finite{true};
  parallel_for(blocks_of(size), [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block) {
      for_pieces(segments, count, size, block,
                 [&](const Segment& segment, const float* gradients, int64_t from, int64_t to) {
                   const float decay = segment.decayed ? rule.weight_decay : 0;
                   if (!step(buffers, rule, scale, decay, gradients, from, to)) finite = false;
                 });
    }
  });
  // What was computed goes to fresh memory, so that a pass to look for trouble first is not needed.
  if (!finite) keep(buffers, size);
  return finite;
}

void average_step_cpu(const ParallelFor& parallel_for, const Segment* segments, int64_t count, int64_t size,
                      const float* average, float decay, float gain, float* next) {
  parallel_for(blocks_of(size), [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block) {
      for_pieces(segments, count, size, block, [&](const Segment&, const float* values, int64_t from, int64_t to) {
        const float* __restrict old = average + from;
        float* __restrict updated = next + from;
#pragma omp simd
        for (int64_t i = 0; i < to - from; ++i) updated[i] = decay * old[i] + gain * values[i];
      });
    }
  });
}

}  // namespace yolox
