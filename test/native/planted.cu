// Kernels with one mistake each, which the emulator must find; planted_check.cc says how. Those named good_ have none.
#include "native/host_device.h"

constexpr int kThreads = 64;

extern "C" __global__ void out_of_range(const float* x, float* y, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  // Lacks: if (i >= count) return;
  y[i % count] = x[i];
}

extern "C" __global__ void write_out_of_range(float* y) { y[threadIdx.x + 1] = 1; }

extern "C" __global__ void host_pointer(const float* x, float* y) { y[threadIdx.x] = *x; }

extern "C" __global__ void array_index(float* y) {
  float local[4] = {1, 2, 3, 4};
  y[threadIdx.x] = local[threadIdx.x];
}

extern "C" __global__ void misaligned(const float* x, float* y) {
  const float4 four = *reinterpret_cast<const float4*>(x + 1);
  y[0] = four.x + four.w;
}

extern "C" __global__ void shared_race(float* y) {
  __shared__ float sum;
  sum = threadIdx.x;
  __syncthreads();
  y[threadIdx.x] = sum;
}

extern "C" __global__ void missing_barrier(const float* x, float* y) {
  __shared__ float tile[kThreads];
  tile[threadIdx.x] = x[threadIdx.x];
  // Lacks: __syncthreads();
  y[threadIdx.x] = threadIdx.x == 0 ? tile[0] : tile[threadIdx.x - 1];
}

// A loop that reuses shared memory needs a barrier before the next round's writes too.
extern "C" __global__ void missing_second_barrier(const float* x, float* y) {
  __shared__ float tile[kThreads];
  float sum = 0;
  for (int round = 0; round < 2; ++round) {
    tile[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    sum += tile[kThreads - 1 - threadIdx.x];
  }
  y[threadIdx.x] = sum;
}

extern "C" __global__ void missing_warp_barrier(float* y) {
  __shared__ float tile[kThreads];
  tile[threadIdx.x] = threadIdx.x;
  y[threadIdx.x] = tile[threadIdx.x ^ 1];
}

extern "C" __global__ void global_race(float* y) { y[threadIdx.x / 2] += 1; }

extern "C" __global__ void block_race(float* y) {
  if (threadIdx.x == 0) y[0] = blockIdx.x;
}

extern "C" __global__ void block_read_race(const float* x, float* y) {
  if (threadIdx.x == 0) y[blockIdx.x] = x[(blockIdx.x + 1) % gridDim.x];
}

extern "C" __global__ void atomic_and_plain(int* y) {
  if (threadIdx.x == 0) *y = 0;
  atomicAdd(y, 1);
}

// Other blocks may still be counting.
extern "C" __global__ void early_read(int* count, float* y) {
  if (threadIdx.x > 0) return;
  atomicAdd(count, 1);
  y[blockIdx.x] = *count;
}

extern "C" __global__ void unwritten_shared(float* y) {
  __shared__ float tile[kThreads];
  if (threadIdx.x % 2 == 0) tile[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x];
}

extern "C" __global__ void unwritten_global(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x]; }

extern "C" __global__ void unwritten_output(float* y) {
  if (threadIdx.x != 5) y[threadIdx.x] = 1;
}

extern "C" __global__ void barrier_skipped(float* y) {
  if (threadIdx.x < 40) __syncthreads();
  y[threadIdx.x] = 1;
}

extern "C" __global__ void barriers_differ(float* y) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  y[threadIdx.x] = 1;
}

extern "C" __global__ void divergent_shuffle(float* y) {
  float value = threadIdx.x;
  if (threadIdx.x % 2) {
    value += __shfl_xor_sync(~0u, value, 1);
  } else {
    value -= __shfl_xor_sync(~0u, value, 2);
  }
  y[threadIdx.x] = value;
}

extern "C" __global__ void shuffle_from_nobody(float* y) {
  if (threadIdx.x >= 48) return;
  y[threadIdx.x] = __shfl_down_sync(~0u, 1.f * threadIdx.x, 16);
}

// The sum of floats depends on the order of additions.
extern "C" __global__ void order_dependent(const float* x, float* y) { atomicAdd(y, x[threadIdx.x]); }

extern "C" __global__ void good_sum(const float* x, float* y, int count) {
  __shared__ float sums[kThreads / 32];
  float sum = 0;
  for (int i = threadIdx.x; i < count; i += kThreads) sum += x[i];
  for (int delta = 16; delta > 0; delta /= 2) sum += __shfl_down_sync(~0u, sum, delta);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) y[blockIdx.x] = sums[0] + sums[1];
}

extern "C" __global__ void good_warp_exchange(float* y) {
  __shared__ float tile[kThreads];
  tile[threadIdx.x] = threadIdx.x;
  __syncwarp();
  y[threadIdx.x] = tile[threadIdx.x ^ 1];
}

// Bytes that share a word, written by different threads.
extern "C" __global__ void good_bytes(uint8_t* x) { x[threadIdx.x] = 255 - x[threadIdx.x]; }

extern "C" __global__ void good_count(const float* x, int* y) {
  const int many = __syncthreads_count(x[threadIdx.x] > 0);
  const unsigned votes = __ballot_sync(~0u, x[threadIdx.x] > 0);
  if (threadIdx.x == 0) atomicAdd(&y[0], many);
  if (threadIdx.x % 32 == 0) atomicAdd(&y[1], __popc(votes));
}
