// How CPU kernels spread work over threads without knowing whose threads they are.
#pragma once

#include <cstdint>
#include <functional>

namespace yolox {

// Runs body(begin, end) over disjoint ranges covering [0, count), perhaps at once, and returns when all are done.
// A kernel whose result depends on the order of additions cuts its work into blocks of a fixed size and gives their
// number as `count`: the result is then the same for any number of threads.
using ParallelFor = std::function<void(int64_t count, const std::function<void(int64_t begin, int64_t end)>& body)>;

// On the calling thread alone.
inline void serial_for(int64_t count, const std::function<void(int64_t, int64_t)>& body) {
  if (count > 0) body(0, count);
}

}  // namespace yolox
