#include "spp/spp.h"

namespace yolox {
namespace {

constexpr Dim kBlock{32, 8};

Dim grid_of(const PoolShape& shape) {
  return {blocks_for(shape.batch * shape.height * shape.width, kBlock.y), blocks_for(shape.channels, kBlock.x)};
}

}  // namespace

void spp_cuda(Launcher& launch, const PoolShape& shape, const float* x, float* y, float* source) {
  launch("spp", grid_of(shape), kBlock, 0, shape, x, y, source);
}

void spp_grad_cuda(Launcher& launch, const PoolShape& shape, const float* dy, const float* source, float* dx) {
  launch("spp_grad", grid_of(shape), kBlock, 0, shape, dy, source, dx);
}

}  // namespace yolox
