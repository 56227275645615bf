// CPU kernels of BatchNormSilu: bound by memory, so each pass reads its arrays once, in blocks of rows. The first pass
// goes through a thread's blocks backwards and the second forwards: it begins with what the first left in the cache,
// and the first with what the op before wrote last.
#include <algorithm>
#include <cmath>

#include "batch_norm_silu/batch_norm_silu.h"
#include "batch_norm_silu/lanes.h"

namespace yolox {

namespace {

// Small beside a core's cache, large beside the cost of adding up the blocks' partial sums.
constexpr int64_t kBlockFloats = 16384;

constexpr int kStripsAtOnce = 4;

struct Blocks {
  int64_t rows, channels, block_rows, count;

  Blocks(int64_t rows, int64_t channels)
      : rows(rows),
        channels(channels),
        block_rows(batch_norm_block_rows(channels)),
        count((rows + block_rows - 1) / block_rows) {}

  int64_t rows_of(int64_t block) const { return std::min(block_rows, rows - block * block_rows); }
  int64_t offset(int64_t block) const { return block * block_rows * channels; }
  int64_t partials(int64_t block) const { return block * 2 * channels; }
};

// Adds k strips' deviations from `shift`, and their squares.
template <int kStrips>
void add_deviations(const float* z, int64_t stride, int64_t lanes, const Lanes& shift, Lanes* sum, Lanes* square) {
#pragma omp simd
  for (int64_t i = 0; i < lanes; ++i) {
    float s = sum->values[i], q = square->values[i];
    for (int k = 0; k < kStrips; ++k) {
      const float d = z[k * stride + i] - shift[i];
      s += d;
      q += d * d;
    }
    sum->values[i] = s;
    square->values[i] = q;
  }
}

// Per channel of a column, the sum over the lanes it is repeated in.
void fold_lanes(const Column& column, Lanes* lanes) {
  for (int64_t row = 1; row < column.rows_per_strip; ++row) {
    for (int64_t c = 0; c < column.channels; ++c) (*lanes)[c] += (*lanes)[row * column.channels + c];
  }
}

// With d = z − mean, u = scale·d + beta and g = dy·SiLU'(u): the sums of g and g·d over a block, and in dx g, where
// kTraining, for finish_gradient; else scale·g, which is all of it for stored statistics.
template <bool kTraining>
void reduce_gradient(const BatchNormSiluGrad& task, const float* channel_scale, int64_t offset, int64_t rows,
                     float* partial) {
  for_columns(task.channels, [&](const Column& column) {
    Lanes mean, scale, beta, sum = {}, moment = {};
    column.repeat(task.saved_mean, &mean);
    column.repeat(channel_scale, &scale);
    column.repeat(task.beta, &beta);
    for_strips<1>(rows, task.channels, column, [&](int64_t strip, int64_t lanes, auto) {
      const float* dy = task.dy + offset + strip;
      const float* z = task.z + offset + strip;
      float* dx = task.dx + offset + strip;
#pragma omp simd
      for (int64_t i = 0; i < lanes; ++i) {
        const float d = z[i] - mean[i];
        const float g = dy[i] * silu_slope(scale[i] * d + beta[i]);
        sum[i] += g;
        moment[i] += g * d;
        dx[i] = kTraining ? g : scale[i] * g;
      }
    });
    fold_lanes(column, &sum);
    fold_lanes(column, &moment);
    std::copy_n(sum.values, column.channels, partial + column.first);
    std::copy_n(moment.values, column.channels, partial + task.channels + column.first);
  });
}

// The part of the batch's statistics in dx, which comes holding g: scale·g + through_deviation·d + through_mean.
struct GradCoefficients {
  float *scale, *through_deviation, *through_mean;
};

void finish_gradient(const BatchNormSiluGrad& task, const GradCoefficients& of, int64_t offset, int64_t rows) {
  for_columns(task.channels, [&](const Column& column) {
    Lanes mean, scale, p, q;
    column.repeat(task.saved_mean, &mean);
    column.repeat(of.scale, &scale);
    column.repeat(of.through_deviation, &p);
    column.repeat(of.through_mean, &q);
    for_strips<1>(rows, task.channels, column, [&](int64_t strip, int64_t lanes, auto) {
      const float* z = task.z + offset + strip;
      float* dx = task.dx + offset + strip;
#pragma omp simd
      for (int64_t i = 0; i < lanes; ++i) dx[i] = scale[i] * dx[i] + (p[i] * (z[i] - mean[i]) + q[i]);
    });
  });
}

}  // namespace

int64_t batch_norm_block_rows(int64_t channels) {
  const int64_t rows = kStripsAtOnce * rows_per_strip(channels);
  return rows * std::max<int64_t>(1, kBlockFloats / (rows * channels));
}

int64_t batch_norm_silu_cpu_scratch(int64_t rows, int64_t channels) {
  return channels == 0 ? 0 : (2 * Blocks(rows, channels).count + 3) * channels;
}

void batch_norm_block_statistics(const float* z, int64_t rows, int64_t channels, float* partial) {
  for_columns(channels, [&](const Column& column) {
    // Deviations from the block's first row: their squares stay small where the mean is large beside the deviation.
    Lanes shift, sum = {}, square = {};
    column.repeat(z, &shift);
    for_strips<kStripsAtOnce>(rows, channels, column, [&](int64_t offset, int64_t lanes, auto strips) {
      add_deviations<strips>(z + offset, channels * column.rows_per_strip, lanes, shift, &sum, &square);
    });
    fold_lanes(column, &sum);
    fold_lanes(column, &square);
    const float count = static_cast<float>(rows);
    for (int64_t c = 0; c < column.channels; ++c) {
      const float mean = sum[c] / count, deviations = square[c] - sum[c] * mean;
      partial[column.first + c] = shift[c] + mean;
      partial[channels + column.first + c] = deviations < 0 ? 0 : deviations;
    }
  });
}

void batch_norm_combine(const float* partials, int64_t block_rows, int64_t rows, int64_t channels, float epsilon,
                        const BatchStatistics& statistics) {
  for_columns(channels, [&](const Column& column) {
    double mean[kMaxLanes] = {}, deviations[kMaxLanes] = {};
    const auto for_partials = [&](auto add) {
      const float* partial = partials + column.first;
      for (int64_t row = 0; row < rows; row += block_rows, partial += 2 * channels) {
        const double count = static_cast<double>(std::min(block_rows, rows - row));
#pragma omp simd
        for (int64_t c = 0; c < column.channels; ++c) add(c, count, partial[c], partial[channels + c]);
      }
    };
    const double total = static_cast<double>(std::max<int64_t>(rows, 1));
    for_partials([&](int64_t c, double count, double block_mean, double) { mean[c] += count / total * block_mean; });
    for_partials([&](int64_t c, double count, double block_mean, double block_deviations) {
      const double d = block_mean - mean[c];
      deviations[c] += block_deviations + count * d * d;
    });
    for (int64_t c = 0; c < column.channels; ++c) {
      const int64_t to = column.first + c;
      statistics.mean[to] = static_cast<float>(mean[c]);
      statistics.rstd[to] = static_cast<float>(1 / std::sqrt(deviations[c] / total + epsilon));
      statistics.variance[to] = static_cast<float>(deviations[c] / std::max(total - 1, 1.0));
    }
  });
}

void batch_norm_statistics_cpu(const ParallelFor& parallel_for, const float* z, int64_t rows, int64_t channels,
                               float epsilon, float* partials, const BatchStatistics& statistics) {
  const Blocks blocks(rows, channels);
  parallel_for(blocks.count, [&](int64_t begin, int64_t end) {
    for (int64_t block = end; block-- > begin;) {
      batch_norm_block_statistics(z + blocks.offset(block), blocks.rows_of(block), channels,
                                  partials + blocks.partials(block));
    }
  });
  batch_norm_combine(partials, blocks.block_rows, rows, channels, epsilon, statistics);
}

void batch_norm_fold(int64_t channels, const float* gamma, const float* beta, const float* mean, const float* rstd,
                     float* scale, float* shift) {
  for (int64_t c = 0; c < channels; ++c) {
    scale[c] = gamma[c] * rstd[c];
    shift[c] = beta[c] - mean[c] * scale[c];
  }
}

void scale_shift_silu_rows(const float* z, float* y, int64_t rows, int64_t channels, const float* scale,
                           const float* shift) {
  for_columns(channels, [&](const Column& column) {
    Lanes a, b;
    column.repeat(scale, &a);
    column.repeat(shift, &b);
    for_strips<1>(rows, channels, column, [&](int64_t offset, int64_t lanes, auto) {
      const float* from = z + offset;
      float* to = y + offset;
#pragma omp simd
      for (int64_t i = 0; i < lanes; ++i) to[i] = silu(a[i] * from[i] + b[i]);
    });
  });
}

void batch_norm_silu_cpu(const ParallelFor& parallel_for, const BatchNormSilu& task) {
  const int64_t rows = task.rows, channels = task.channels;
  if (channels == 0) return;
  const Blocks blocks(rows, channels);
  float *scale = task.scratch, *shift = scale + channels, *partials = shift + channels;
  if (task.training) {
    batch_norm_statistics_cpu(parallel_for, task.z, rows, channels, task.epsilon, partials,
                              {task.saved_mean, task.saved_rstd, task.batch_variance});
  } else {
    std::copy_n(task.mean, channels, task.saved_mean);
    std::copy_n(task.variance, channels, task.batch_variance);
    for (int64_t c = 0; c < channels; ++c) task.saved_rstd[c] = 1 / std::sqrt(task.variance[c] + task.epsilon);
  }
  batch_norm_fold(channels, task.gamma, task.beta, task.saved_mean, task.saved_rstd, scale, shift);
  parallel_for(blocks.count, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      scale_shift_silu_rows(task.z + blocks.offset(block), task.y + blocks.offset(block), blocks.rows_of(block),
                            channels, scale, shift);
    }
  });
}

void batch_norm_silu_grad_cpu(const ParallelFor& parallel_for, const BatchNormSiluGrad& task) {
  const int64_t rows = task.rows, channels = task.channels;
  if (channels == 0) return;
  const Blocks blocks(rows, channels);
  float *scale = task.scratch, *p = scale + channels, *q = p + channels, *partials = q + channels;
  for (int64_t c = 0; c < channels; ++c) scale[c] = task.gamma[c] * task.saved_rstd[c];

  const auto reduce = task.training ? reduce_gradient<true> : reduce_gradient<false>;
  parallel_for(blocks.count, [&](int64_t begin, int64_t end) {
    for (int64_t block = end; block-- > begin;) {
      reduce(task, scale, blocks.offset(block), blocks.rows_of(block), partials + blocks.partials(block));
    }
  });
  for_columns(channels, [&](const Column& column) {
    double sum[kMaxLanes] = {}, moment[kMaxLanes] = {};
    for (int64_t block = 0; block < blocks.count; ++block) {
      const float* partial = partials + blocks.partials(block) + column.first;
#pragma omp simd
      for (int64_t c = 0; c < column.channels; ++c) {
        sum[c] += partial[c];
        moment[c] += partial[channels + c];
      }
    }
    for (int64_t i = 0; i < column.channels; ++i) {
      const int64_t c = column.first + i;
      const double rstd = task.saved_rstd[c], mean_weight = -static_cast<double>(scale[c]) / static_cast<double>(rows);
      task.dbeta[c] = static_cast<float>(sum[i]);
      task.dgamma[c] = static_cast<float>(moment[i] * rstd);
      p[c] = static_cast<float>(mean_weight * moment[i] * rstd * rstd);
      q[c] = static_cast<float>(mean_weight * sum[i]);
    }
  });
  if (!task.training) return;

  parallel_for(blocks.count, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      finish_gradient(task, {scale, p, q}, blocks.offset(block), blocks.rows_of(block));
    }
  });
}

}  // namespace yolox
