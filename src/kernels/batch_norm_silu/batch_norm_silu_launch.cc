// Grids of the CUDA kernels and the order of their launches.
#include <algorithm>

#include "batch_norm_silu/batch_norm_silu.h"

namespace yolox {
namespace {

// Enough blocks to fill a card; more would only make more partial sums.
constexpr int64_t kBlocks = 1024;
// Fewer rows a thread would cost more to add up than to read.
constexpr int64_t kLeastRows = 4;
// Packs of channels a block lies over at most: a warp's width.
constexpr int64_t kPacks = 32;

struct Grid {
  RowChunks chunks;
  Dim grid, block;
  Dim finish_grid, finish_block{kBatchNormFinishChannels, kBatchNormFinishThreads};

  Grid(int64_t rows, int64_t channels) : chunks{rows, channels, 0, channels % 4 == 0 ? 4 : 1} {
    const int64_t packs = channels / chunks.pack, width = std::min(packs, kPacks), height = kBatchNormThreads / width;
    const unsigned columns = blocks_for(packs, width);
    chunks.chunk_rows = height * std::max<int64_t>(kLeastRows, blocks_for(rows * columns, height * kBlocks));
    grid = {blocks_for(rows, chunks.chunk_rows), columns};
    block = {static_cast<unsigned>(width), static_cast<unsigned>(height)};
    finish_grid = {blocks_for(channels, kBatchNormFinishChannels)};
  }
};

}  // namespace

int64_t batch_norm_silu_cuda_scratch(int64_t rows, int64_t channels) {
  return rows * channels == 0 ? 0 : Grid(rows, channels).chunks.count() * 2 * channels;
}

void batch_norm_silu_cuda(Launcher& launch, const BatchNormSilu& task) {
  const float *gamma = task.gamma, *beta = task.beta, *mean = task.mean, *variance = task.variance;
  if (task.training && task.rows == 0) {
    launch.zero(task.saved_mean, task.channels * sizeof(float));
    launch.zero(task.batch_variance, task.channels * sizeof(float));
    mean = task.saved_mean;
    variance = task.batch_variance;
  }
  if (task.rows == 0 || !task.training) {
    launch("batch_norm_stored_statistics", {blocks_for(task.channels, kBatchNormThreads)}, {kBatchNormThreads}, 0,
           task.channels, task.epsilon, mean, variance, task.saved_mean, task.saved_rstd, task.batch_variance);
  }
  if (task.rows == 0) return;

  const Grid grid(task.rows, task.channels);
  const float *partials = task.scratch, *saved_mean = task.saved_mean, *saved_rstd = task.saved_rstd;
  if (task.training) {
    launch("batch_norm_chunk_statistics", grid.grid, grid.block, 0, grid.chunks, task.z, task.scratch);
    launch("batch_norm_finish_statistics", grid.finish_grid, grid.finish_block, 0, grid.chunks, task.epsilon, partials,
           task.saved_mean, task.saved_rstd, task.batch_variance);
  }
  launch("batch_norm_transform", grid.grid, grid.block, 0, grid.chunks, task.z, gamma, beta, saved_mean,
         saved_rstd, task.y);
}

void batch_norm_silu_grad_cuda(Launcher& launch, const BatchNormSiluGrad& task) {
  if (task.rows == 0) {
    launch.zero(task.dgamma, task.channels * sizeof(float));
    launch.zero(task.dbeta, task.channels * sizeof(float));
    return;
  }
  const Grid grid(task.rows, task.channels);
  const float *partials = task.scratch, *dgamma = task.dgamma, *dbeta = task.dbeta;
  launch("batch_norm_reduce_gradient", grid.grid, grid.block, 0, grid.chunks, task.training, task.dy, task.z,
         task.gamma, task.beta, task.saved_mean, task.saved_rstd, task.dx, task.scratch);
  launch("batch_norm_finish_gradient", grid.finish_grid, grid.finish_block, 0, grid.chunks, partials, task.saved_rstd,
         task.dgamma, task.dbeta);
  if (!task.training) return;
  launch("batch_norm_input_gradient", grid.grid, grid.block, 0, grid.chunks, task.dy, task.z, task.gamma,
         task.beta, task.saved_mean, task.saved_rstd, dgamma, dbeta, task.dx);
}

}  // namespace yolox
