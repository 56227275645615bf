// Concat and split: a block's x runs along the channels of a row, so that neighbouring threads read and write
// neighbours. In units of four floats where every part has a multiple of four channels.
#include "concat/concat.h"

namespace {

template <typename Unit, bool kSplit, typename Part, typename Whole>
__device__ void move_rows(int64_t rows, const yolox::Parts<Part>& parts, Whole* whole) {
  constexpr int kFloats = sizeof(Unit) / sizeof(float);
  const int64_t row = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (row >= rows) return;
  int64_t width = 0;
  for (int part = 0; part < yolox::kMaxParts; ++part) width += parts.channels[part] / kFloats;
  int64_t offset = row * width;
  for (int part = 0; part < yolox::kMaxParts; ++part) {
    const int64_t channels = parts.channels[part] / kFloats;
    for (int64_t c = threadIdx.x; c < channels; c += blockDim.x) {
      if constexpr (kSplit) {
        reinterpret_cast<Unit*>(parts.values[part])[row * channels + c] =
            reinterpret_cast<const Unit*>(whole)[offset + c];
      } else {
        reinterpret_cast<Unit*>(whole)[offset + c] =
            reinterpret_cast<const Unit*>(parts.values[part])[row * channels + c];
      }
    }
    offset += channels;
  }
}

}  // namespace

extern "C" __global__ void concat(int64_t rows, yolox::Parts<const float> parts, float* whole) {
  move_rows<float, false>(rows, parts, whole);
}

extern "C" __global__ void concat4(int64_t rows, yolox::Parts<const float> parts, float* whole) {
  move_rows<float4, false>(rows, parts, whole);
}

extern "C" __global__ void concat_grad(int64_t rows, const float* whole, yolox::Parts<float> parts) {
  move_rows<float, true>(rows, parts, whole);
}

extern "C" __global__ void concat_grad4(int64_t rows, const float* whole, yolox::Parts<float> parts) {
  move_rows<float4, true>(rows, parts, whole);
}
