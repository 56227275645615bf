// CUDA kernels. A block's threads lie over adjacent packs of channels (x) and the rows of one chunk (y), so that a warp
// reads adjacent memory; sums go over a chunk in shared memory, then over the chunks in a kernel of their own.
#include "batch_norm_silu/batch_norm_silu.h"
#include "native/host_device.h"

namespace {

using yolox::RowChunks;

constexpr int kThreads = yolox::kBatchNormThreads;
constexpr int kFinishChannels = yolox::kBatchNormFinishChannels;
constexpr int kFinishThreads = yolox::kBatchNormFinishThreads;

// N adjacent channels, moved in one access.
template <int N>
struct __align__(4 * N) Pack {
  float v[N];
};

template <int N>
__device__ Pack<N> load(const float* from) {
  return *reinterpret_cast<const Pack<N>*>(from);
}

template <int N>
__device__ void store(float* to, const Pack<N>& pack) {
  *reinterpret_cast<Pack<N>*>(to) = pack;
}

// The channels of a thread, the first of its rows and the end of its chunk; no rows where there are no channels.
template <int N>
struct Place {
  int64_t channel, row, end;

  __device__ explicit Place(const RowChunks& chunks) {
    channel = (static_cast<int64_t>(blockIdx.y) * blockDim.x + threadIdx.x) * N;
    const int64_t begin = blockIdx.x * chunks.chunk_rows;
    row = begin + threadIdx.y;
    end = begin + chunks.chunk_rows < chunks.rows ? begin + chunks.chunk_rows : chunks.rows;
    if (channel >= chunks.channels) row = end;
  }
};

// Adds up two packs over the block's rows, in a fixed order; the sums are in the threads of the first row.
template <int N>
__device__ void sum_rows(float* shared, Pack<N>* a, Pack<N>* b) {
  const unsigned thread = threadIdx.y * blockDim.x + threadIdx.x;
  Pack<N>* first = reinterpret_cast<Pack<N>*>(shared);
  Pack<N>* second = first + kThreads;
  first[thread] = *a;
  second[thread] = *b;
  for (unsigned left = blockDim.y; left > 1;) {
    const unsigned half = (left + 1) / 2;
    __syncthreads();
    if (threadIdx.y + half < left) {
      for (int i = 0; i < N; ++i) {
        first[thread].v[i] += first[thread + half * blockDim.x].v[i];
        second[thread].v[i] += second[thread + half * blockDim.x].v[i];
      }
    }
    left = half;
  }
  *a = first[thread];
  *b = second[thread];
}

// partials[chunk] ← mean and sum of squared deviations of each channel.
template <int N>
__device__ void chunk_statistics(const RowChunks& chunks, const float* __restrict__ z, float* partials, float* shared) {
  const Place<N> place(chunks);
  const int64_t begin = blockIdx.x * chunks.chunk_rows;
  Pack<N> shift = {}, sum = {}, square = {};
  // Deviations from the chunk's first row: their squares stay small where the mean is large beside the deviation.
  if (place.channel < chunks.channels) shift = load<N>(z + begin * chunks.channels + place.channel);
#pragma unroll 4
  for (int64_t row = place.row; row < place.end; row += blockDim.y) {
    const Pack<N> value = load<N>(z + row * chunks.channels + place.channel);
    for (int i = 0; i < N; ++i) {
      const float d = value.v[i] - shift.v[i];
      sum.v[i] += d;
      square.v[i] += d * d;
    }
  }
  sum_rows<N>(shared, &sum, &square);
  if (threadIdx.y > 0 || place.channel >= chunks.channels) return;
  const float count = static_cast<float>(place.end - begin);
  for (int i = 0; i < N; ++i) {
    const float mean = sum.v[i] / count, deviations = square.v[i] - sum.v[i] * mean;
    sum.v[i] = shift.v[i] + mean;
    square.v[i] = deviations < 0.0f ? 0.0f : deviations;
  }
  float* partial = partials + blockIdx.x * 2 * chunks.channels + place.channel;
  store<N>(partial, sum);
  store<N>(partial + chunks.channels, square);
}

template <int N>
__device__ void transform(const RowChunks& chunks, const float* __restrict__ z, const float* gamma,
                          const float* beta, const float* mean, const float* rstd, float* __restrict__ y) {
  const Place<N> place(chunks);
  if (place.row >= place.end) return;
  Pack<N> scale, shift;
  for (int i = 0; i < N; ++i) {
    const int64_t c = place.channel + i;
    scale.v[i] = gamma[c] * rstd[c];
    shift.v[i] = beta[c] - mean[c] * scale.v[i];
  }
#pragma unroll 4
  for (int64_t row = place.row; row < place.end; row += blockDim.y) {
    const int64_t at = row * chunks.channels + place.channel;
    Pack<N> value = load<N>(z + at);
    for (int i = 0; i < N; ++i) value.v[i] = yolox::silu(scale.v[i] * value.v[i] + shift.v[i]);
    store<N>(y + at, value);
  }
}

// What turns dy into g = dy·SiLU'(u) for a thread's channels, with u = scale·d + beta and d = z − mean.
template <int N>
struct Through {
  Pack<N> mean, scale, beta;

  __device__ Through(const Place<N>& place, const float* gamma, const float* beta_of, const float* mean_of,
                     const float* rstd) {
    for (int i = 0; i < N; ++i) {
      const int64_t c = place.channel + i;
      mean.v[i] = mean_of[c];
      scale.v[i] = gamma[c] * rstd[c];
      beta.v[i] = beta_of[c];
    }
  }

  __device__ float operator()(int i, float dy, float d) const {
    return dy * yolox::silu_slope(scale.v[i] * d + beta.v[i]);
  }
};

// partials[chunk] ← sums of g and g·d of each channel; unless training, dx ← scale·g.
template <int N>
__device__ void reduce_gradient(const RowChunks& chunks, bool training, const float* __restrict__ dy,
                                const float* __restrict__ z, const float* gamma, const float* beta, const float* mean,
                                const float* rstd, float* __restrict__ dx, float* partials, float* shared) {
  const Place<N> place(chunks);
  Pack<N> sum = {}, moment = {};
  if (place.row < place.end) {
    const Through<N> through(place, gamma, beta, mean, rstd);
#pragma unroll 4
    for (int64_t row = place.row; row < place.end; row += blockDim.y) {
      const int64_t at = row * chunks.channels + place.channel;
      Pack<N> g = load<N>(dy + at);
      const Pack<N> value = load<N>(z + at);
      for (int i = 0; i < N; ++i) {
        const float d = value.v[i] - through.mean.v[i];
        g.v[i] = through(i, g.v[i], d);
        sum.v[i] += g.v[i];
        moment.v[i] += g.v[i] * d;
        g.v[i] *= through.scale.v[i];
      }
      if (!training) store<N>(dx + at, g);
    }
  }
  sum_rows<N>(shared, &sum, &moment);
  if (threadIdx.y > 0 || place.channel >= chunks.channels) return;
  float* partial = partials + blockIdx.x * 2 * chunks.channels + place.channel;
  store<N>(partial, sum);
  store<N>(partial + chunks.channels, moment);
}

template <int N>
__device__ void input_gradient(const RowChunks& chunks, const float* __restrict__ dy,
                               const float* __restrict__ z, const float* gamma, const float* beta, const float* mean,
                               const float* rstd, const float* dgamma, const float* dbeta, float* __restrict__ dx) {
  const Place<N> place(chunks);
  if (place.row >= place.end) return;
  const Through<N> through(place, gamma, beta, mean, rstd);
  Pack<N> p, q;
  for (int i = 0; i < N; ++i) {
    const int64_t c = place.channel + i;
    const float mean_weight = -through.scale.v[i] / static_cast<float>(chunks.rows);
    p.v[i] = mean_weight * dgamma[c] * rstd[c];
    q.v[i] = mean_weight * dbeta[c];
  }
#pragma unroll 4
  for (int64_t row = place.row; row < place.end; row += blockDim.y) {
    const int64_t at = row * chunks.channels + place.channel;
    Pack<N> g = load<N>(dy + at);
    const Pack<N> value = load<N>(z + at);
    for (int i = 0; i < N; ++i) {
      const float d = value.v[i] - through.mean.v[i];
      g.v[i] = through.scale.v[i] * through(i, g.v[i], d) + (p.v[i] * d + q.v[i]);
    }
    store<N>(dx + at, g);
  }
}

// Sum over the threads of a channel in a finishing kernel, in a fixed order; for all of them.
__device__ float sum_threads(float* shared, float value) {
  __syncthreads();
  shared[threadIdx.y * kFinishChannels + threadIdx.x] = value;
  __syncthreads();
  float sum = 0;
  for (int i = 0; i < kFinishThreads; ++i) sum += shared[i * kFinishChannels + threadIdx.x];
  return sum;
}

// Sum over the chunks of value(chunk), likewise.
template <typename Value>
__device__ float sum_chunks(float* shared, int64_t count, Value value) {
  float sum = 0;
  for (int64_t chunk = threadIdx.y; chunk < count; chunk += kFinishThreads) sum += value(chunk);
  return sum_threads(shared, sum);
}

}  // namespace

extern "C" __global__ void batch_norm_chunk_statistics(RowChunks chunks, const float* z, float* partials) {
  __shared__ __align__(16) float shared[2 * 4 * kThreads];
  if (chunks.pack == 4) {
    chunk_statistics<4>(chunks, z, partials, shared);
  } else {
    chunk_statistics<1>(chunks, z, partials, shared);
  }
}

extern "C" __global__ void batch_norm_finish_statistics(RowChunks chunks, float epsilon, const float* partials,
                                                        float* mean, float* rstd, float* variance) {
  __shared__ float shared[kFinishChannels * kFinishThreads];
  const int64_t channels = chunks.channels;
  int64_t c = static_cast<int64_t>(blockIdx.x) * kFinishChannels + threadIdx.x;
  const bool some = c < channels;
  if (!some) c = 0;
  const int64_t count = chunks.count();
  const auto rows_of = [&](int64_t chunk) {
    const int64_t left = chunks.rows - chunk * chunks.chunk_rows;
    return static_cast<float>(left < chunks.chunk_rows ? left : chunks.chunk_rows);
  };
  const auto mean_of = [&](int64_t chunk) { return partials[chunk * 2 * channels + c]; };
  const auto deviations_of = [&](int64_t chunk) { return partials[(chunk * 2 + 1) * channels + c]; };
  const float rows = static_cast<float>(chunks.rows), start = mean_of(0);
  const float all = start + sum_chunks(shared, count,
                                       [&](int64_t chunk) { return rows_of(chunk) / rows * (mean_of(chunk) - start); });
  const float deviations = sum_chunks(shared, count, [&](int64_t chunk) {
    const float d = mean_of(chunk) - all;
    return deviations_of(chunk) + rows_of(chunk) * d * d;
  });
  if (!some || threadIdx.y > 0) return;
  mean[c] = all;
  rstd[c] = 1.0f / sqrtf(deviations / rows + epsilon);
  variance[c] = deviations / (rows > 1.0f ? rows - 1.0f : 1.0f);
}

extern "C" __global__ void batch_norm_stored_statistics(int64_t channels, float epsilon, const float* mean,
                                                        const float* variance, float* saved_mean, float* saved_rstd,
                                                        float* batch_variance) {
  const int64_t c = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c >= channels) return;
  saved_mean[c] = mean[c];
  saved_rstd[c] = 1.0f / sqrtf(variance[c] + epsilon);
  batch_variance[c] = variance[c];
}

extern "C" __global__ void batch_norm_transform(RowChunks chunks, const float* z,
                                                const float* gamma, const float* beta, const float* mean,
                                                const float* rstd, float* y) {
  if (chunks.pack == 4) {
    transform<4>(chunks, z, gamma, beta, mean, rstd, y);
  } else {
    transform<1>(chunks, z, gamma, beta, mean, rstd, y);
  }
}

extern "C" __global__ void batch_norm_reduce_gradient(RowChunks chunks, bool training, const float* dy,
                                                      const float* z, const float* gamma, const float* beta,
                                                      const float* mean, const float* rstd, float* dx,
                                                      float* partials) {
  __shared__ __align__(16) float shared[2 * 4 * kThreads];
  if (chunks.pack == 4) {
    reduce_gradient<4>(chunks, training, dy, z, gamma, beta, mean, rstd, dx, partials, shared);
  } else {
    reduce_gradient<1>(chunks, training, dy, z, gamma, beta, mean, rstd, dx, partials, shared);
  }
}

extern "C" __global__ void batch_norm_finish_gradient(RowChunks chunks, const float* partials, const float* rstd,
                                                      float* dgamma, float* dbeta) {
  __shared__ float shared[kFinishChannels * kFinishThreads];
  const int64_t channels = chunks.channels;
  int64_t c = static_cast<int64_t>(blockIdx.x) * kFinishChannels + threadIdx.x;
  const bool some = c < channels;
  if (!some) c = 0;
  const int64_t count = chunks.count();
  const float sum = sum_chunks(shared, count, [&](int64_t chunk) { return partials[chunk * 2 * channels + c]; });
  const float moment =
      sum_chunks(shared, count, [&](int64_t chunk) { return partials[(chunk * 2 + 1) * channels + c]; });
  if (!some || threadIdx.y > 0) return;
  dbeta[c] = sum;
  dgamma[c] = moment * rstd[c];
}

extern "C" __global__ void batch_norm_input_gradient(RowChunks chunks, const float* dy,
                                                     const float* z, const float* gamma, const float* beta,
                                                     const float* mean, const float* rstd, const float* dgamma,
                                                     const float* dbeta, float* dx) {
  if (chunks.pack == 4) {
    input_gradient<4>(chunks, dy, z, gamma, beta, mean, rstd, dgamma, dbeta, dx);
  } else {
    input_gradient<1>(chunks, dy, z, gamma, beta, mean, rstd, dgamma, dbeta, dx);
  }
}
