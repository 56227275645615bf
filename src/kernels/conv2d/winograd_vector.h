// One hardware vector of floats, as wide as the file is compiled for.
#pragma once

#include <cstdint>

namespace yolox {

#if defined(__AVX512F__)
constexpr int64_t kLanes = 16;
#else
constexpr int64_t kLanes = 8;
#endif

using Vector = float __attribute__((vector_size(kLanes * sizeof(float))));
using UnalignedVector = float __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float)), may_alias));

inline Vector load(const float* from) { return *reinterpret_cast<const UnalignedVector*>(from); }
inline void store(float* to, Vector value) { *reinterpret_cast<UnalignedVector*>(to) = value; }

}  // namespace yolox
