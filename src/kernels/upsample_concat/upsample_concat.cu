// Upsample and concat: a block's x runs along the channels, its y over pixels, so that neighbouring threads read and
// write neighbours.
#include "upsample_concat/upsample_concat.h"

extern "C" __global__ void upsample_concat(yolox::UpsampleShape shape, const float* coarse, const float* fine,
                                           float* y) {
  const int64_t width = 2 * shape.width;
  const int64_t pixel = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (pixel >= shape.batch * 2 * shape.height * width) return;
  const int64_t cell = pixel / width / 2 * shape.width + pixel % width / 2;
  float* to = y + pixel * (shape.coarse_channels + shape.fine_channels);
  for (int64_t c = threadIdx.x; c < shape.coarse_channels; c += blockDim.x) {
    to[c] = coarse[cell * shape.coarse_channels + c];
  }
  for (int64_t c = threadIdx.x; c < shape.fine_channels; c += blockDim.x) {
    to[shape.coarse_channels + c] = fine[pixel * shape.fine_channels + c];
  }
}

// A block's y runs over the pixels of the coarse grid.
extern "C" __global__ void upsample_concat_grad(yolox::UpsampleShape shape, const float* dy, float* dcoarse,
                                                float* dfine) {
  const int64_t cell = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (cell >= shape.batch * shape.height * shape.width) return;
  const int64_t channels = shape.coarse_channels, beside = shape.fine_channels, stride = channels + beside;
  const int64_t left = cell / shape.width * 4 * shape.width + cell % shape.width * 2;
  const int64_t pixels[] = {left, left + 1, left + 2 * shape.width, left + 2 * shape.width + 1};
  for (int64_t c = threadIdx.x; c < channels; c += blockDim.x) {
    dcoarse[cell * channels + c] = yolox::sum_of_cell(dy[pixels[0] * stride + c], dy[pixels[1] * stride + c],
                                                      dy[pixels[2] * stride + c], dy[pixels[3] * stride + c]);
  }
  for (int i = 0; i < 4; ++i) {
    for (int64_t c = threadIdx.x; c < beside; c += blockDim.x) {
      dfine[pixels[i] * beside + c] = dy[pixels[i] * stride + channels + c];
    }
  }
}
