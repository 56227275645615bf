// Batch normalisation followed by SiLU, forward and gradient. Values are rows of channels (NHWC, rows = N·H·W).
#pragma once

#include "native/host_device.h"
#include "native/vector_math.h"

namespace yolox {

YOLOX_HOST_DEVICE inline float silu(float u) { return u * fast_sigmoid_of_number(u); }

// d SiLU / du
YOLOX_HOST_DEVICE inline float silu_slope(float u) {
  const float s = fast_sigmoid_of_number(u);
  return s * (1.0f + u * (1.0f - s));
}

// Threads of a CUDA block at most, and of one that adds up partial sums: of these channels, so many for each.
constexpr int kBatchNormThreads = 256;
constexpr int kBatchNormFinishChannels = 32;
constexpr int kBatchNormFinishThreads = 8;

// How rows and channels are dealt to CUDA blocks: chunk by chunk, every thread `pack` adjacent channels.
struct RowChunks {
  int64_t rows, channels, chunk_rows;
  int pack;  // 4 or 1

  YOLOX_HOST_DEVICE int64_t count() const { return (rows + chunk_rows - 1) / chunk_rows; }
};

}  // namespace yolox

#if !defined(__CUDACC_RTC__)

#include "native/launcher.h"
#include "native/parallel.h"

namespace yolox {

// y = SiLU((z − mean)·rstd·gamma + beta)
struct BatchNormSilu {
  int64_t rows, channels;
  bool training;  // normalise by the statistics of the batch, not by stored ones
  float epsilon;
  const float* z;                  // [rows, channels]
  const float *gamma, *beta;       // [channels]
  const float *mean, *variance;    // [channels], stored statistics; read only where not training
  float* y;                        // [rows, channels]
  float *saved_mean, *saved_rstd;  // [channels], for the gradient: what was normalised by
  float* batch_variance;           // [channels], unbiased, biased for a single row; the stored one where not training
  float* scratch;
};

// The gradient of y's `dy` with respect to z, gamma and beta; SiLU is computed again from z.
struct BatchNormSiluGrad {
  int64_t rows, channels;
  bool training;  // normalise by the statistics of the batch, not by stored ones
  const float *dy, *z;                                  // [rows, channels]
  const float *gamma, *beta, *saved_mean, *saved_rstd;  // [channels]
  float* dx;                                            // [rows, channels]
  float *dgamma, *dbeta;                                // [channels]
  float* scratch;
};

// No channels: nothing to do. No rows: mean and variance are 0, as are dgamma and dbeta.

// Floats of `scratch`, the same for forward and gradient.
int64_t batch_norm_silu_cpu_scratch(int64_t rows, int64_t channels);
int64_t batch_norm_silu_cuda_scratch(int64_t rows, int64_t channels);

void batch_norm_silu_cpu(const ParallelFor& parallel_for, const BatchNormSilu& task);
void batch_norm_silu_grad_cpu(const ParallelFor& parallel_for, const BatchNormSiluGrad& task);

void batch_norm_silu_cuda(Launcher& launch, const BatchNormSilu& task);
void batch_norm_silu_grad_cuda(Launcher& launch, const BatchNormSiluGrad& task);

// The parts of the forward pass, for kernels that compute z and hold it in cache block by block.

// Rows of a block, by channels alone, so that sums over blocks don't depend on threads. The last block may be shorter.
int64_t batch_norm_block_rows(int64_t channels);

// Mean [channels] and sum of squared deviations [channels] of up to a block of rows, at least one.
void batch_norm_block_statistics(const float* z, int64_t rows, int64_t channels, float* partial);

// Statistics of all rows from `partials` [blocks, 2, channels], each block of block_rows but the last.
struct BatchStatistics {
  float *mean, *rstd, *variance;  // [channels], the variance unbiased
};
void batch_norm_combine(const float* partials, int64_t block_rows, int64_t rows, int64_t channels, float epsilon,
                        const BatchStatistics& statistics);

// All of it for z in memory; `partials` as above.
void batch_norm_statistics_cpu(const ParallelFor& parallel_for, const float* z, int64_t rows, int64_t channels,
                               float epsilon, float* partials, const BatchStatistics& statistics);

// scale·z + shift with scale = gamma·rstd and shift = beta − mean·scale.
void batch_norm_fold(int64_t channels, const float* gamma, const float* beta, const float* mean, const float* rstd,
                     float* scale, float* shift);

// y = SiLU(scale·z + shift) for a few rows on the calling thread; y may be z.
void scale_shift_silu_rows(const float* z, float* y, int64_t rows, int64_t channels, const float* scale,
                           const float* shift);

}  // namespace yolox

#endif
