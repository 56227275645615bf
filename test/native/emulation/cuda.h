// CUDA's device language for g++, included before each .cu file: blocks, threads, barriers, shuffles and atomics as
// emulation/grid.cc plays them. Ordinary loads and stores reach the emulator through -fsanitize=thread's calls.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#define __global__ __attribute__((noinline))
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __constant__ static const
#define __shared__ static __attribute__((section("yolox_shared"), aligned(16)))

#define YOLOX_VECTOR_TYPES(T, name, align)                                   \
  struct alignas(2 * align) name##2 { T x, y; };                             \
  struct name##3 { T x, y, z; };                                             \
  struct alignas(4 * align < 16 ? 4 * align : 16) name##4 { T x, y, z, w; }; \
  inline name##2 make_##name##2(T x, T y) { return {x, y}; }                 \
  inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; }         \
  inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
YOLOX_VECTOR_TYPES(float, float, 4)
YOLOX_VECTOR_TYPES(int, int, 4)
YOLOX_VECTOR_TYPES(unsigned, uint, 4)
YOLOX_VECTOR_TYPES(unsigned char, uchar, 1)
YOLOX_VECTOR_TYPES(double, double, 8)
#undef YOLOX_VECTOR_TYPES
using dim3 = uint3;

namespace emulation {

// The same during a thread's whole life, so that the compiler need ask only once.
__attribute__((const)) uint3 thread_index();
__attribute__((const)) uint3 block_index();
__attribute__((const)) uint3 block_size();
__attribute__((const)) uint3 grid_size();

void barrier(int line);
// Counts the threads of the block whose `value` is not zero.
int barrier_count(int line, int value);
void warp_barrier(int line, unsigned mask);
// Every lane's value in `values`; returns the lanes that took part.
unsigned warp_exchange(int line, unsigned mask, uint64_t value, uint64_t values[32]);
int lane();
[[noreturn]] void missing_lane(int line, int source);
// Checks an atomic access.
void atomic_access(const void* address, unsigned bytes);

template <typename T>
T from_lane(int line, unsigned mask, T value, int source) {
  uint64_t bits = 0, all[32];
  memcpy(&bits, &value, sizeof(T));
  const unsigned present = warp_exchange(line, mask, bits, all);
  if (!(present >> source & 1)) missing_lane(line, source);
  memcpy(&value, &all[source], sizeof(T));
  return value;
}
template <typename T>
T shuffle(int line, unsigned mask, T value, int source, int width = 32) {
  return from_lane(line, mask, value, (lane() & ~(width - 1)) + (source & (width - 1)));
}
template <typename T>
T shuffle_xor(int line, unsigned mask, T value, int bits, int width = 32) {
  const int source = lane() ^ bits;
  return from_lane(line, mask, value, source < (lane() & ~(width - 1)) + width ? source : lane());
}
template <typename T>
T shuffle_down(int line, unsigned mask, T value, int delta, int width = 32) {
  return from_lane(line, mask, value, (lane() & (width - 1)) + delta < width ? lane() + delta : lane());
}
template <typename T>
T shuffle_up(int line, unsigned mask, T value, int delta, int width = 32) {
  return from_lane(line, mask, value, (lane() & (width - 1)) >= delta ? lane() - delta : lane());
}
inline unsigned ballot(int line, unsigned mask, int value) {
  uint64_t all[32];
  const unsigned present = warp_exchange(line, mask, value != 0, all);
  unsigned result = 0;
  for (int i = 0; i < 32; i++) result |= (present >> i & 1) && all[i] ? 1u << i : 0;
  return result;
}
inline bool all_of(int line, unsigned mask, int value) { return ballot(line, mask, !value) == 0; }

// Replaces a value by change(value) and returns what it was; fibers take turns elsewhere, so nothing comes between.
template <typename T, typename Change>
__attribute__((no_sanitize("thread"))) T atomically(T* address, Change change) {
  atomic_access(address, sizeof(T));
  const T before = *address;
  *address = change(before);
  return before;
}

}  // namespace emulation

#define threadIdx (::emulation::thread_index())
#define blockIdx (::emulation::block_index())
#define blockDim (::emulation::block_size())
#define gridDim (::emulation::grid_size())
#define warpSize 32

#define __syncthreads() ::emulation::barrier(__LINE__)
#define __syncthreads_count(value) ::emulation::barrier_count(__LINE__, (value) != 0)
#define __syncthreads_or(value) (::emulation::barrier_count(__LINE__, (value) != 0) > 0)
#define __syncthreads_and(value) (::emulation::barrier_count(__LINE__, (value) == 0) == 0)
#define __syncwarp(...) ::emulation::warp_barrier(__LINE__, ~0u)
#define __shfl_sync(...) ::emulation::shuffle(__LINE__, __VA_ARGS__)
#define __shfl_xor_sync(...) ::emulation::shuffle_xor(__LINE__, __VA_ARGS__)
#define __shfl_down_sync(...) ::emulation::shuffle_down(__LINE__, __VA_ARGS__)
#define __shfl_up_sync(...) ::emulation::shuffle_up(__LINE__, __VA_ARGS__)
#define __ballot_sync(mask, value) ::emulation::ballot(__LINE__, mask, value)
#define __any_sync(mask, value) (::emulation::ballot(__LINE__, mask, value) != 0)
#define __all_sync(mask, value) ::emulation::all_of(__LINE__, mask, value)
inline void __threadfence() {}
inline void __threadfence_block() {}

// The second argument's type must not take part in deduction: atomicAdd(unsigned*, int) is ordinary CUDA.
template <typename T>
struct YoloxSame {
  using type = T;
};
#define YOLOX_ATOMIC(name, expression)                                                           \
  template <typename T>                                                                          \
  __attribute__((no_sanitize("thread"))) T name(T* address, typename YoloxSame<T>::type value) { \
    return ::emulation::atomically(address, [value](T before) -> T { return expression; });      \
  }
YOLOX_ATOMIC(atomicAdd, before + value)
YOLOX_ATOMIC(atomicSub, before - value)
YOLOX_ATOMIC(atomicMin, before < value ? before : value)
YOLOX_ATOMIC(atomicMax, before > value ? before : value)
YOLOX_ATOMIC(atomicAnd, before& value)
YOLOX_ATOMIC(atomicOr, before | value)
YOLOX_ATOMIC(atomicXor, before ^ value)
YOLOX_ATOMIC(atomicExch, (static_cast<void>(before), value))
#undef YOLOX_ATOMIC
template <typename T>
T atomicCAS(T* address, typename YoloxSame<T>::type expected, typename YoloxSame<T>::type value) {
  return ::emulation::atomically(address, [=](T before) -> T { return before == expected ? value : before; });
}

template <typename T>
T __ldg(const T* address) {
  return *address;
}

template <typename To, typename From>
To yolox_bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof(To));
  return to;
}
inline int __float_as_int(float x) { return yolox_bits<int>(x); }
inline unsigned __float_as_uint(float x) { return yolox_bits<unsigned>(x); }
inline float __int_as_float(int x) { return yolox_bits<float>(x); }
inline float __uint_as_float(unsigned x) { return yolox_bits<float>(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
inline int __float2int_rd(float x) { return static_cast<int>(std::floor(x)); }
inline int __float2int_rn(float x) { return static_cast<int>(std::nearbyint(x)); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1) : 0; }
inline float rsqrtf(float x) { return 1 / std::sqrt(x); }
using std::isfinite;
using std::isinf;
using std::isnan;
inline int min(int a, int b) { return b < a ? b : a; }
inline int max(int a, int b) { return a < b ? b : a; }
inline unsigned min(unsigned a, unsigned b) { return b < a ? b : a; }
inline unsigned max(unsigned a, unsigned b) { return a < b ? b : a; }
inline long long min(long long a, long long b) { return b < a ? b : a; }
inline long long max(long long a, long long b) { return a < b ? b : a; }
inline int64_t min(int64_t a, int64_t b) { return b < a ? b : a; }
inline int64_t max(int64_t a, int64_t b) { return a < b ? b : a; }
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
