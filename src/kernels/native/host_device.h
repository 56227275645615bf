// For inline functions that CPU kernels and CUDA kernels share.
#pragma once

#if defined(__CUDACC__)
#define YOLOX_HOST_DEVICE __host__ __device__
#else
#define YOLOX_HOST_DEVICE
#endif

namespace yolox {

// Threads of a CUDA warp.
constexpr int kWarp = 32;

}  // namespace yolox

#if defined(__CUDACC_RTC__)
// NVRTC has no standard headers.
using int8_t = signed char;
using uint8_t = unsigned char;
using int32_t = int;
using uint32_t = unsigned int;
using int64_t = long long;
using uint64_t = unsigned long long;
#else
#include <cmath>
#include <cstdint>
#endif
