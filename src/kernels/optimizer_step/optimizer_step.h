// One update of all parameters, and moving averages. Parameters, moments and averages are flat vectors that hold one
// tensor after the other; gradients and batch statistics come as the tensors themselves.
#pragma once

#include "native/host_device.h"
#if !defined(__CUDACC_RTC__)
#include "native/launcher.h"
#include "native/parallel.h"
#endif

namespace yolox {

// Every tensor starts at a multiple of this many floats in a flat vector (64 bytes, which TensorFlow's kernels demand
// of a tensor's memory); the gaps hold zeros, and stay zero.
constexpr int64_t kFlatAlignment = 16;

YOLOX_HOST_DEVICE inline int64_t flat_size(int64_t size) {
  return (size + kFlatAlignment - 1) / kFlatAlignment * kFlatAlignment;
}

// Threads of a CUDA block, in the kernels and their launches.
constexpr int kStepThreads = 256;

// A tensor, and where in the flat vector it belongs.
struct Segment {
  const float* values;
  int64_t offset;
  int64_t size;
  int decayed;  // whether weight decay applies

  YOLOX_HOST_DEVICE int64_t end() const { return offset + flat_size(size); }
};

// All [P]. Where the pointer read is null (second: Adam's alone; average: on demand), so is the one written.
struct StepBuffers {
  const float *parameters, *first, *second, *average;
  float *next_parameters, *next_first, *next_second, *next_average;
};

// first ← first_decay·first + first_gain·g; second likewise of g², for Adam; average likewise of the new parameters.
struct StepRule {
  int adam, nesterov;
  float first_decay, first_gain, second_decay, second_gain, epsilon;
  float weight_decay;
  float clip_norm;  // 0: none
  // These change from step to step.
  float lr;
  float first_unbias, second_unbias;  // 1 / (1 − betaᵗ)
  float average_decay, average_gain;
  float unscale;  // 1 / loss scale
};

// Factor of raw gradients of this norm (unscale not yet applied).
YOLOX_HOST_DEVICE inline float gradient_scale(const StepRule& rule, double square_sum) {
  const double norm = sqrt(square_sum) * rule.unscale;
  const double clip = rule.clip_norm / (norm + 1e-6);
  return static_cast<float>(clip < 1 ? rule.unscale * clip : rule.unscale);
}

// torch.optim.SGD. The new parameter.
YOLOX_HOST_DEVICE inline float sgd(const StepRule& rule, float parameter, float gradient, float* first) {
  *first = rule.first_decay * *first + rule.first_gain * gradient;
  return parameter - rule.lr * (rule.nesterov ? gradient + rule.first_decay * *first : *first);
}

// torch.optim.Adam: Kingma & Ba 2015, algorithm 1, weight decay inside the gradient. The new parameter.
YOLOX_HOST_DEVICE inline float adam(const StepRule& rule, float parameter, float gradient, float* first,
                                    float* second) {
  *first = rule.first_decay * *first + rule.first_gain * gradient;
  *second = rule.second_decay * *second + rule.second_gain * gradient * gradient;
  const float scale = sqrtf(*second * rule.second_unbias) + rule.epsilon;
  return parameter - rule.lr * (*first * rule.first_unbias / scale);
}

YOLOX_HOST_DEVICE inline bool is_finite(float value) { return fabsf(value) <= 3.40282347e38f; }

// Tensors of one CUDA launch: as kernel arguments they need no table in device memory.
constexpr int kSegmentsPerLaunch = 64;
struct SegmentChunk {
  Segment segments[kSegmentsPerLaunch];
  int count;
  int64_t begin, end;  // of the flat vector
};

// Floats of the flat vector one CUDA block works on.
constexpr int64_t kFloatsPerBlock = 4096;

#if !defined(__CUDACC_RTC__)

// Floats of scratch memory for vectors of `size` floats, the same on both devices; it holds doubles.
int64_t optimizer_step_scratch(int64_t size, int64_t segments);

// Steps unless a gradient is infinite or NaN; then everything stays as it was. `segments` cover [0, size) in order.
// True if it stepped.
bool optimizer_step_cpu(const ParallelFor& parallel_for, const Segment* segments, int64_t count, int64_t size,
                        const StepBuffers& buffers, const StepRule& rule, double* scratch);
// `applied`, in device memory, becomes 1 or 0.
void optimizer_step_cuda(Launcher& launch, const Segment* segments, int64_t count, int64_t size,
                         const StepBuffers& buffers, const StepRule& rule, double* scratch, float* applied);

// next ← decay·average + gain·values
void average_step_cpu(const ParallelFor& parallel_for, const Segment* segments, int64_t count, int64_t size,
                      const float* average, float decay, float gain, float* next);
void average_step_cuda(Launcher& launch, const Segment* segments, int64_t count, const float* average, float decay,
                       float gain, float* next);

#endif

}  // namespace yolox
