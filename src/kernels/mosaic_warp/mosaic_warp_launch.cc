#include "mosaic_warp/mosaic_warp.h"

namespace yolox {

void mosaic_warp_cuda(Launcher& launch, const mosaic::ImageBatch& batch, const mosaic::WarpPlan* plans,
                      const mosaic::Normalisation& norm, const mosaic::Output& shape, float* out) {
  const Dim grid{blocks_for(shape.width, mosaic::kSpan), static_cast<unsigned>(shape.height),
                 static_cast<unsigned>(shape.images)};
  launch("mosaic_warp", grid, {mosaic::kSpan}, 0, batch, plans, norm, shape, out);
}

}  // namespace yolox
