// CUDA kernels. A block works on kFloatsPerBlock floats of the flat vector, across the tensors that meet there.
#include "native/host_device.h"
#include "optimizer_step/optimizer_step.h"

namespace {

using yolox::Segment;
using yolox::SegmentChunk;
using yolox::StepBuffers;
using yolox::StepRule;

constexpr int kThreads = yolox::kStepThreads;

// The part of a chunk that belongs to this block, and the tensor it starts in.
struct Part {
  int64_t begin, end;
  int segment;
};

__device__ Part part_of(const SegmentChunk& chunk) {
  Part part;
  part.begin = chunk.begin + static_cast<int64_t>(blockIdx.x) * yolox::kFloatsPerBlock;
  part.end = part.begin + yolox::kFloatsPerBlock;
  if (part.end > chunk.end) part.end = chunk.end;
  part.segment = 0;
  while (chunk.segments[part.segment].end() <= part.begin) ++part.segment;
  return part;
}

// The value that belongs to position i of the flat vector, 0 in the gaps.
__device__ float value_at(const Segment& segment, int64_t i) {
  return i - segment.offset < segment.size ? segment.values[i - segment.offset] : 0.0f;
}

// Sum over the block's threads, in a fixed order.
__device__ double block_sum(double value) {
  __shared__ double sums[kThreads];
  sums[threadIdx.x] = value;
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  __syncthreads();
  return sums[0];
}

}  // namespace

// partial[blockIdx.x] ← sum of the block's squared gradients
extern "C" __global__ void gradient_square_sum(SegmentChunk chunk, double* partial) {
  const Part part = part_of(chunk);
  double sum = 0;
  int64_t begin = part.begin;
  for (int s = part.segment; begin < part.end; ++s) {
    const Segment& segment = chunk.segments[s];
    const int64_t end = segment.end() < part.end ? segment.end() : part.end;
    for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
      const double gradient = value_at(segment, i);
      sum += gradient * gradient;
    }
    begin = end;
  }
  const double total = block_sum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = total;
}

// *scale ← factor of the gradients. One block.
extern "C" __global__ void gradient_clip(const double* partial, int count, StepRule rule, float* scale) {
  double sum = 0;
  for (int i = threadIdx.x; i < count; i += kThreads) sum += partial[i];
  const double total = block_sum(sum);
  if (threadIdx.x == 0) *scale = yolox::gradient_scale(rule, total);
}

// `scale` null: nothing is clipped. *wrong is raised by every thread that meets a gradient that is not finite.
extern "C" __global__ void optimizer_update(SegmentChunk chunk, StepBuffers buffers, StepRule rule, const float* scale,
                                            unsigned* wrong) {
  const Part part = part_of(chunk);
  const float factor = scale ? *scale : rule.unscale;
  bool finite = true;
  int64_t begin = part.begin;
  for (int s = part.segment; begin < part.end; ++s) {
    const Segment& segment = chunk.segments[s];
    const float decay = segment.decayed ? rule.weight_decay : 0.0f;
    const int64_t end = segment.end() < part.end ? segment.end() : part.end;
    for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
      const float raw = value_at(segment, i);
      const float parameter = buffers.parameters[i];
      const float gradient = raw * factor + decay * parameter;
      float first = buffers.first[i];
      float value;
      if (rule.adam) {
        float second = buffers.second[i];
        value = yolox::adam(rule, parameter, gradient, &first, &second);
        buffers.next_second[i] = second;
      } else {
        value = yolox::sgd(rule, parameter, gradient, &first);
      }
      buffers.next_first[i] = first;
      buffers.next_parameters[i] = value;
      if (buffers.average)
        buffers.next_average[i] = rule.average_decay * buffers.average[i] + rule.average_gain * value;
      finite = finite && yolox::is_finite(raw);
    }
    begin = end;
  }
  if (!finite) atomicAdd(wrong, 1u);
}

// Takes the step back where a gradient was not finite.
extern "C" __global__ void optimizer_finish(StepBuffers buffers, int64_t size, const unsigned* wrong, float* applied) {
  const bool keep = *wrong > 0;
  if (blockIdx.x == 0 && threadIdx.x == 0) *applied = keep ? 0.0f : 1.0f;
  if (!keep) return;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < size; i += stride) {
    buffers.next_parameters[i] = buffers.parameters[i];
    buffers.next_first[i] = buffers.first[i];
    if (buffers.second) buffers.next_second[i] = buffers.second[i];
    if (buffers.average) buffers.next_average[i] = buffers.average[i];
  }
}

extern "C" __global__ void average_step(SegmentChunk chunk, const float* average, float decay, float gain,
                                        float* next) {
  const Part part = part_of(chunk);
  int64_t begin = part.begin;
  for (int s = part.segment; begin < part.end; ++s) {
    const Segment& segment = chunk.segments[s];
    const int64_t end = segment.end() < part.end ? segment.end() : part.end;
    for (int64_t i = begin + threadIdx.x; i < end; i += kThreads)
      next[i] = decay * average[i] + gain * value_at(segment, i);
    begin = end;
  }
}
