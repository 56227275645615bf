// exp and sigmoid without branches or calls, so that loops over them become vector code.
#pragma once

#include "native/host_device.h"

namespace yolox {

#if defined(__CUDACC_RTC__)

YOLOX_HOST_DEVICE inline float fast_exp(float x) { return expf(x); }
YOLOX_HOST_DEVICE inline float fast_sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
YOLOX_HOST_DEVICE inline float fast_sigmoid_of_number(float x) { return fast_sigmoid(x); }

#else

namespace vector_math {

struct Exp2 {
  float fraction;  // e^x / 2^exponent, from 0.7 to 1.42
  int32_t exponent;
};

// Cody–Waite reduction by ln 2, then 1 + r + r²·p(r) on |r| ≤ ln(2)/2. p's coefficients: minimax of the relative error
// of e^r, by iteratively reweighted least squares on Chebyshev points; 4e-9 remains. |x| < 2²² required.
inline Exp2 split_exp(float x) {
  // 1.5·2²³: adding it leaves the nearest integer in the low bits of the sum.
  const float kRound = 12582912.0f;
  const float shifted = x * 1.44269504f + kRound;
  const float n = shifted - kRound;
  // ln 2 in two parts, the first short enough for n times it to be exact.
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.3814174e-3f;
  p = p * r + 8.3689215e-3f;
  p = p * r + 4.1668408e-2f;
  p = p * r + 1.6666520e-1f;
  p = p * r + 4.9999994e-1f;
  return {p * (r * r) + r + 1.0f, __builtin_bit_cast(int32_t, shifted) - __builtin_bit_cast(int32_t, kRound)};
}

// 2^n for n from −126 to 127; infinity for 128.
inline float power_of_2(int32_t n) {
  return __builtin_bit_cast(float, static_cast<int32_t>((static_cast<uint32_t>(n) + 127u) << 23));
}

// x within [low, high], low < 0 < high; either bound for NaN. By the bits, since comparing floats would become branches
// around all that follows, and those a loop of blends.
inline float clamp(float x, float low, float high) {
  const int32_t top = __builtin_bit_cast(int32_t, high), bits = __builtin_bit_cast(int32_t, x);
  const uint32_t bottom = __builtin_bit_cast(uint32_t, low), below = static_cast<uint32_t>(bits < top ? bits : top);
  return __builtin_bit_cast(float, below < bottom ? below : bottom);
}

}  // namespace vector_math

// e^x within 1 ulp: 0 and infinity at the ends, NaN for NaN.
inline float fast_exp(float x) {
  // Beyond these bounds the result is 0 or infinity already.
  const vector_math::Exp2 e = vector_math::split_exp(vector_math::clamp(x, -104.0f, 89.0f));
  // In two steps, since 2^exponent alone may be no normal number.
  const int32_t half = e.exponent >> 1;
  const float result = e.fraction * vector_math::power_of_2(half) * vector_math::power_of_2(e.exponent - half);
  return x == x ? result : x;
}

// 1 / (1 + e^−x) within 2.5 ulp; about 0 below −88.3, where it is no normal number. Any number for NaN: for products
// with x, which are NaN themselves.
inline float fast_sigmoid_of_number(float x) {
  // From 88.4 on the exponent is 128, whose power is infinite.
  const vector_math::Exp2 e = vector_math::split_exp(vector_math::clamp(-x, -87.0f, 88.7f));
  return 1.0f / (1.0f + e.fraction * vector_math::power_of_2(e.exponent));
}

// The same, with NaN for NaN.
inline float fast_sigmoid(float x) {
  const float result = fast_sigmoid_of_number(x);
  return x == x ? result : x;
}

#endif

}  // namespace yolox
