#include "upsample_concat/upsample_concat.h"

namespace yolox {
namespace {

constexpr Dim kBlock{32, 8};

}  // namespace

void upsample_concat_cuda(Launcher& launch, const UpsampleShape& shape, const float* coarse, const float* fine,
                          float* y) {
  const int64_t pixels = shape.batch * 2 * shape.height * 2 * shape.width;
  launch("upsample_concat", {blocks_for(pixels, kBlock.y)}, kBlock, 0, shape, coarse, fine, y);
}

void upsample_concat_grad_cuda(Launcher& launch, const UpsampleShape& shape, const float* dy, float* dcoarse,
                               float* dfine) {
  const int64_t cells = shape.batch * shape.height * shape.width;
  launch("upsample_concat_grad", {blocks_for(cells, kBlock.y)}, kBlock, 0, shape, dy, dcoarse, dfine);
}

}  // namespace yolox
