// MosaicWarp on a GPU: a block draws one span of one row, a thread one pixel of it.
#include "mosaic_warp/mosaic_warp.h"

using namespace yolox::mosaic;

namespace {

__device__ float blend(float a, float b, float weight) { return a + (b - a) * weight; }

__device__ Colour sample(const Run& run, int i) {
  if (!run.data) {
    const float nan = nanf("");
    return {nan, nan, nan};
  }
  int x, y;
  const float right = run.x.at(i, &x), below = run.y.at(i, &y);
  const int stride = 3 * (run.x.last + 1);
  const uint8_t* top = run.data + y * stride + 3 * x;
  const uint8_t* bottom = top + (y < run.y.last ? stride : 0);
  const int next = x < run.x.last ? 3 : 0;
  float level[3];
  for (int c = 0; c < 3; ++c) {
    level[c] =
        round_level(blend(blend(top[c], top[next + c], right), blend(bottom[c], bottom[next + c], right), below));
  }
  return {level[0], level[1], level[2]};
}

// What a span of a layer shows.
struct WarpSpan {
  Range canvas;
  Run runs[kMaxTiles];
};

__device__ Colour look(const WarpSpan& span, const Layer& layer, int i) {
  const bool on_canvas = i >= span.canvas.begin && i < span.canvas.end;
  const float grey = on_canvas ? layer.pad : layer.outside;
  const int tiles = bounded(layer.tiles, kMaxTiles);
  for (int t = tiles - 1; t >= 0; --t) {
    const Run& run = span.runs[t];
    if (i >= run.range.begin && i < run.range.end) return sample(run, i);
  }
  return {grey, grey, grey};
}

}  // namespace

extern "C" __global__ void mosaic_warp(ImageBatch batch, const WarpPlan* plans, Normalisation norm, Output shape,
                                       float* out) {
  __shared__ WarpSpan spans[kMaxLayers];
  __shared__ float values[3 * kSpan];
  const int thread = threadIdx.x;
  const int64_t column = static_cast<int64_t>(blockIdx.x) * kSpan, row = blockIdx.y, image = blockIdx.z;
  const int64_t left = shape.width - column;
  const int count = left < kSpan ? static_cast<int>(left) : kSpan;
  const WarpPlan& plan = plans[image];
  const int layers = bounded(plan.layers, kMaxLayers);

  // Double precision is slow on most cards: one thread does it for a run, the rest is single precision.
  if (thread < kMaxLayers * kMaxTiles) {
    const int l = thread / kMaxTiles, t = thread % kMaxTiles;
    const Layer& layer = plan.layer[l];
    const Line line = canvas_line(layer, row, column);
    const Range canvas = line.within(0, 0, layer.width, layer.height, count);
    spans[l].runs[t] = make_run(batch, line, layer.tile[t], canvas, count);
    if (t == 0) spans[l].canvas = canvas;
  }
  __syncthreads();

  if (thread < count) {
    const float weight = layers == 2 ? 0.5f : 1.f;
    Colour sum{0, 0, 0};
    for (int l = 0; l < layers; ++l) {
      const Colour colour = look(spans[l], plan.layer[l], thread);
      sum = {sum.r + weight * colour.r, sum.g + weight * colour.g, sum.b + weight * colour.b};
    }
    if (shifts_colours(plan)) sum = shift_colour(sum, whole_turn(plan.hsv[0]), plan.hsv[1], plan.hsv[2]);
    values[3 * thread] = (norm.bgr ? sum.b : sum.r) * norm.gain[0] - norm.shift[0];
    values[3 * thread + 1] = sum.g * norm.gain[1] - norm.shift[1];
    values[3 * thread + 2] = (norm.bgr ? sum.r : sum.b) * norm.gain[2] - norm.shift[2];
  }
  __syncthreads();

  // Through shared memory, so that neighbouring threads write neighbouring numbers.
  float* target = out + 3 * ((image * shape.height + row) * shape.width + column);
  for (int i = thread; i < 3 * count; i += kSpan) target[i] = values[i];
}
