#include "focus/focus.h"

namespace yolox {

void focus_cuda(Launcher& launch, const FocusShape& shape, const float* x, float* y) {
  constexpr unsigned kThreads = 256;
  const Dim grid{blocks_for(shape.batch * shape.height, 2), blocks_for(2 * shape.width * shape.channels, kThreads)};
  launch("focus", grid, {kThreads}, 0, shape, x, y);
}

}  // namespace yolox
