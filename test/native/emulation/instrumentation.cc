// What -fsanitize=thread makes kernels call before each load and store, and -fsanitize=undefined on a mistake. The
// sanitizers' own libraries are not linked: these functions take their place.
#include <cstdint>

#include "emulation/emulator.h"
#include "emulation/memory.h"

namespace {

using namespace yolox::emulation;

inline void check(const void* address, size_t bytes, Access access, const void* code) {
  if (!moment.in_kernel) return;
  const std::string wrong = check_access(address, bytes, access);
  if (!wrong.empty()) fail(wrong, code);
}

// How every description of a mistake begins.
struct Source {
  const char* file;
  uint32_t line, column;
};

[[noreturn]] void mistake(const Source& source, const char* what) {
  std::string file(source.file);
  fail(std::string(what) + " at " + file.substr(file.rfind('/') + 1) + ":" + std::to_string(source.line), nullptr);
}

}  // namespace

extern "C" {

void __tsan_init() {}

#define YOLOX_ACCESS(name, bytes)                                                                  \
  void __tsan_read##name(void* p) { check(p, bytes, Access::kRead, __builtin_return_address(0)); } \
  void __tsan_write##name(void* p) { check(p, bytes, Access::kWrite, __builtin_return_address(0)); }
YOLOX_ACCESS(1, 1)
YOLOX_ACCESS(2, 2)
YOLOX_ACCESS(4, 4)
YOLOX_ACCESS(8, 8)
YOLOX_ACCESS(16, 16)

// Alignment is -fsanitize=alignment's business, which knows the type.
#define YOLOX_UNALIGNED(bytes)                                                                                \
  void __tsan_unaligned_read##bytes(void* p) { check(p, bytes, Access::kRead, __builtin_return_address(0)); } \
  void __tsan_unaligned_write##bytes(void* p) { check(p, bytes, Access::kWrite, __builtin_return_address(0)); }
YOLOX_UNALIGNED(2)
YOLOX_UNALIGNED(4)
YOLOX_UNALIGNED(8)
YOLOX_UNALIGNED(16)

void __tsan_read_range(void* p, size_t bytes) { check(p, bytes, Access::kRead, __builtin_return_address(0)); }
void __tsan_write_range(void* p, size_t bytes) { check(p, bytes, Access::kWrite, __builtin_return_address(0)); }

#define YOLOX_MISTAKE(name, what) \
  void __ubsan_handle_##name##_abort(Source* source) { mistake(*source, what); }
YOLOX_MISTAKE(type_mismatch_v1, "misaligned access")
YOLOX_MISTAKE(out_of_bounds, "array index out of bounds")
YOLOX_MISTAKE(shift_out_of_bounds, "shift by too many bits")
YOLOX_MISTAKE(divrem_overflow, "division by zero or overflow")
YOLOX_MISTAKE(add_overflow, "integer overflow")
YOLOX_MISTAKE(sub_overflow, "integer overflow")
YOLOX_MISTAKE(mul_overflow, "integer overflow")
YOLOX_MISTAKE(negate_overflow, "integer overflow")

}  // extern "C"
