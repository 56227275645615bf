#include "mosaic_warp/mosaic_warp.h"

namespace yolox {

void mosaic_warp_cuda(Launcher& launch, const mosaic::Album& album, const mosaic::Recipe* recipes,
                      const mosaic::Normalisation& norm, const mosaic::Output& shape, float* out) {
  const Dim grid{blocks_for(shape.width, mosaic::kSpan), static_cast<unsigned>(shape.height),
                 static_cast<unsigned>(shape.images)};
  launch("mosaic_warp", grid, {mosaic::kSpan}, 0, album, recipes, norm, shape, out);
}

}  // namespace yolox
