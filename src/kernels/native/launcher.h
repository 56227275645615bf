// Starts CUDA kernels by name, wherever they run: on a card, or emulated on the host.
#pragma once

#include <cstdint>
#include <type_traits>

namespace yolox {

struct Dim {
  unsigned x = 1, y = 1, z = 1;
};

// Size and sort of a kernel's argument in one number, by which emulation holds a launch against the kernel.
template <typename T>
constexpr int argument_code() {
  return static_cast<int>(sizeof(T)) * 4 + (std::is_pointer_v<T>          ? 3
                                            : std::is_floating_point_v<T> ? 2
                                            : std::is_integral_v<T>       ? 1
                                                                          : 0);
}

class Launcher {
 public:
  virtual ~Launcher() = default;

  // Starts kernel `name` of <stem>.cu; the arguments' types must be exactly the kernel's parameter types.
  // Returns at once; the first failure is remembered and later launches do nothing.
  template <typename... Arguments>
  void operator()(const char* name, Dim grid, Dim block, unsigned shared_bytes, Arguments... arguments) {
    void* pointers[] = {&arguments..., nullptr};
    static constexpr int codes[] = {argument_code<Arguments>()..., 0};
    launch(name, grid, block, shared_bytes, pointers, codes);
  }

  // Sets device memory to zero bytes, in order with the launches.
  virtual void zero(void* memory, uint64_t bytes) = 0;

 protected:
  // `arguments` ends with null, `codes` (argument_code of each) with 0.
  virtual void launch(const char* name, Dim grid, Dim block, unsigned shared_bytes, void** arguments,
                      const int* codes) = 0;
};

inline unsigned blocks_for(int64_t items, int64_t per_block) {
  return static_cast<unsigned>((items + per_block - 1) / per_block);
}

}  // namespace yolox
