// What the emulator remembers of its memory: shared by the host's side (memory.cc) and the kernels' (access.cc).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

namespace yolox::emulation {

constexpr size_t kWordBytes = 4;

// Which threads one record of an access stands for.
enum Scope : uint64_t { kThread, kWarp, kBlock, kGrid };

struct Record {
  uint64_t segment : 32, warp_epoch : 15, thread : 10, bytes : 4, atomic : 1, scope : 2;
};

// The last write and the last reads of one word of memory.
struct Word {
  Record write, read;
};

struct Area {
  char* begin;
  size_t bytes;
  Word* words;
  uint8_t* states;  // of each word's bytes; low half: written, high half: allocated

  // A range outside gives an offset beyond `bytes`.
  size_t offset_of(const void* address) const {
    return reinterpret_cast<uintptr_t>(address) - reinterpret_cast<uintptr_t>(begin);
  }
  bool contains(const void* address) const { return offset_of(address) < bytes; }
};
extern Area device_area, shared_area;

// Calls visit(word, mask of its bytes) for each word of a range; stops at the first true and returns it.
template <typename Visit>
bool any_word(const Area& area, const void* address, size_t bytes, Visit visit) {
  size_t offset = area.offset_of(address);
  const size_t end = offset + bytes;
  while (offset < end) {
    const size_t in_word = offset % kWordBytes, taken = std::min(kWordBytes - in_word, end - offset);
    if (visit(offset / kWordBytes, ((1u << taken) - 1) << in_word)) return true;
    offset += taken;
  }
  return false;
}

// "at byte 400 of an allocation of 400 bytes"
std::string describe_place(const void* address);
// "<what> 4 bytes out of range, at byte …"
std::string out_of_range(const char* what, const void* address, size_t bytes);

}  // namespace yolox::emulation
