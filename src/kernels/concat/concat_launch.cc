#include "concat/concat.h"

namespace yolox {
namespace {

constexpr Dim kBlock{16, 16};

template <typename Value>
bool by_fours(const Parts<Value>& parts) {
  for (int64_t channels : parts.channels) {
    if (channels % 4 != 0) return false;
  }
  return true;
}

}  // namespace

void concat_cuda(Launcher& launch, int64_t rows, const Parts<const float>& parts, float* whole) {
  launch(by_fours(parts) ? "concat4" : "concat", {blocks_for(rows, kBlock.y)}, kBlock, 0, rows, parts, whole);
}

void concat_grad_cuda(Launcher& launch, int64_t rows, const float* whole, const Parts<float>& parts) {
  launch(by_fours(parts) ? "concat_grad4" : "concat_grad", {blocks_for(rows, kBlock.y)}, kBlock, 0, rows, whole, parts);
}

}  // namespace yolox
