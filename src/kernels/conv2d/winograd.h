// 3×3 convolutions of stride 1 and padding 1, float32 NHWC, and their gradients, through Winograd's F(4×4, 3×3):
// 36 multiplications for 16 outputs instead of 144.
//
// Against exact arithmetic, on normal data, root mean square errors are 0.6–1.6e-6 of the results' root mean square
// for 32 to 256 channels, twice those of a direct float32 convolution; the largest errors are about 2e-5.
// Results are the same for any number of workers.
#pragma once

#include "native/parallel.h"

namespace yolox {

struct WinogradShape {
  int64_t batch, height, width, in_channels, out_channels;
};

enum class ConvDirection { kForward, kInputGrad, kFilterGrad };

// Whether the functions below take the shape: nothing empty, and both channel counts multiples of 16 where the file
// was compiled for AVX-512, of 8 elsewhere.
bool winograd_supports(const WinogradShape& shape);

// Whether they also beat oneDNN 3.2's direct convolution, as measured on one Zen 4 processor: all but the smallest
// images with the most channels, where the transformed filter costs more than it saves.
bool winograd_pays(const WinogradShape& shape, ConvDirection direction);

// Floats of scratch memory for one call; `workers`: how many threads `parallel` runs at once. Best aligned to 64 bytes.
int64_t winograd_scratch(const WinogradShape& shape, ConvDirection direction, int64_t workers);

// y [batch, height, width, out] from x [batch, height, width, in] and filter [3, 3, in, out].
void winograd_forward(const ParallelFor& parallel, int64_t workers, const WinogradShape& shape, const float* x,
                      const float* filter, float* y, float* scratch);

// dx [batch, height, width, in] from dy [batch, height, width, out] and filter.
void winograd_input_grad(const ParallelFor& parallel, int64_t workers, const WinogradShape& shape, const float* dy,
                         const float* filter, float* dx, float* scratch);

// dfilter [3, 3, in, out] from x and dy.
void winograd_filter_grad(const ParallelFor& parallel, const WinogradShape& shape, const float* x, const float* dy,
                          float* dfilter, float* scratch);

}  // namespace yolox
