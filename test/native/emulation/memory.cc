#include "emulation/memory.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "emulation/areas.h"

// The section that __shared__ variables are put into (emulation/cuda.h); weak, since a program may have none.
extern "C" {
extern char __start_yolox_shared[] __attribute__((weak));
extern char __stop_yolox_shared[] __attribute__((weak));
}

namespace yolox::emulation {
namespace {

constexpr size_t kArenaBytes = size_t{4} << 30;
constexpr size_t kAlignment = 256;

struct Allocation {
  char* begin;
  size_t bytes;
};
std::vector<Allocation> allocations;

template <typename T>
T* reserve(size_t count) {
  void* memory =
      mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) abort();
  return static_cast<T*>(memory);
}

Area make_area(char* begin, size_t bytes) {
  const size_t words = bytes / kWordBytes + 1;
  return {begin, bytes, reserve<Word>(words), reserve<uint8_t>(words)};
}

Area make_shared_area() {
  const Area area = make_area(__start_yolox_shared, __stop_yolox_shared - __start_yolox_shared);
  memset(area.states, 0xf0, area.bytes / kWordBytes + 1);
  return area;
}

bool accessible(const void* address, size_t bytes) {
  const size_t offset = device_area.offset_of(address);
  return offset < device_area.bytes && bytes <= device_area.bytes - offset &&
         !any_word(device_area, address, bytes,
                   [](size_t word, unsigned mask) { return mask & ~(device_area.states[word] >> 4); });
}

std::string mark_written(void* memory, size_t bytes) {
  if (bytes == 0) return "";
  if (!accessible(memory, bytes)) return out_of_range("the host writes", memory, bytes);
  any_word(device_area, memory, bytes, [](size_t word, unsigned mask) {
    device_area.states[word] |= mask;
    return false;
  });
  return "";
}

}  // namespace

Area device_area = make_area(reserve<char>(kArenaBytes), kArenaBytes);
Area shared_area = make_shared_area();

std::string describe_place(const void* address) {
  if (shared_area.contains(address)) return "in shared memory";
  const char* place = static_cast<const char*>(address);
  const Allocation* nearest = nullptr;
  for (const Allocation& each : allocations) {
    if (each.begin <= place) nearest = &each;
  }
  if (!nearest || !device_area.contains(address)) return "outside device memory";
  return "at byte " + std::to_string(place - nearest->begin) + " of an allocation of " +
         std::to_string(nearest->bytes) + " bytes";
}

std::string out_of_range(const char* what, const void* address, size_t bytes) {
  return std::string(what) + " " + std::to_string(bytes) + " bytes out of range, " + describe_place(address);
}

void* allocate(size_t bytes) {
  size_t begin = 0;
  if (!allocations.empty())
    begin = allocations.back().begin - device_area.begin + allocations.back().bytes + kAlignment;
  begin = (begin + kAlignment - 1) / kAlignment * kAlignment;
  if (begin + bytes + kAlignment > kArenaBytes) {
    fprintf(stderr, "emulation: no device memory left for %zu bytes\n", bytes);
    abort();
  }
  allocations.push_back({device_area.begin + begin, bytes});
  any_word(device_area, device_area.begin + begin, bytes, [&](size_t word, unsigned mask) {
    device_area.states[word] |= mask << 4;
    return false;
  });
  return device_area.begin + begin;
}

void release_all() {
  if (allocations.empty()) return;
  const size_t used = allocations.back().begin - device_area.begin + allocations.back().bytes;
  madvise(device_area.begin, used, MADV_DONTNEED);
  madvise(device_area.words, (used / kWordBytes + 1) * sizeof(Word), MADV_DONTNEED);
  madvise(device_area.states, used / kWordBytes + 1, MADV_DONTNEED);
  allocations.clear();
}

std::string copy_in(void* to, const void* from, size_t bytes) {
  std::string wrong = mark_written(to, bytes);
  if (wrong.empty() && bytes > 0) memcpy(to, from, bytes);
  return wrong;
}

std::string fill_zero(void* memory, size_t bytes) {
  std::string wrong = mark_written(memory, bytes);
  if (wrong.empty() && bytes > 0) memset(memory, 0, bytes);
  return wrong;
}

std::string copy_out(void* to, const void* from, size_t bytes) {
  if (bytes == 0) return "";
  if (!accessible(from, bytes)) return out_of_range("the host reads", from, bytes);
  size_t unwritten = 0;
  const bool undefined = any_word(device_area, from, bytes, [&](size_t word, unsigned mask) {
    unwritten = word;
    return mask & ~device_area.states[word];
  });
  if (undefined) {
    return "the host reads memory that nothing has written, " +
           describe_place(device_area.begin + unwritten * kWordBytes);
  }
  memcpy(to, from, bytes);
  return "";
}

}  // namespace yolox::emulation
