// The emulated device's memory: knows of every byte whether it belongs to an allocation, whether it was ever written,
// and which thread touched it last, so that each access of a kernel is checked where it happens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace yolox::emulation {

constexpr unsigned kWarpSize = 32;

// Aligned to 256 bytes, as a card's allocator gives it, with an inaccessible gap behind.
void* allocate(size_t bytes);
// Frees everything.
void release_all();

// From the host; each returns what is wrong with the range, or nothing.
std::string copy_in(void* to, const void* from, size_t bytes);
std::string copy_out(void* to, const void* from, size_t bytes);
std::string fill_zero(void* memory, size_t bytes);

// The moment a kernel has reached. A segment is the time of one block between two barriers, numbered through the whole
// program; what happens in one segment on different threads is unordered, and so are different blocks of a launch.
struct Moment {
  bool in_kernel = false;
  uint32_t launch_start = 0;  // first segment of the launch
  uint32_t block_start = 0;   // first segment of the block
  uint32_t segment = 0;
  uint16_t thread = 0;      // index in the block
  uint16_t warp_epoch = 0;  // __syncwarp calls of this warp in this segment
};
extern Moment moment;

enum class Access { kRead, kWrite, kAtomic };

// What is wrong with this access of the current thread, or nothing.
std::string check_access(const void* address, size_t bytes, Access access);

}  // namespace yolox::emulation
