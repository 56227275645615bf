// Holds each access of a kernel against what other threads did with the same memory.
#include "emulation/areas.h"
#include "emulation/fiber.h"
#include "emulation/memory.h"

namespace yolox::emulation {

Moment moment;

namespace {

// Whether what the record stands for happened before the present moment.
bool ordered(const Record& record) {
  if (record.segment < moment.launch_start) return true;
  if (record.segment < moment.block_start || record.scope == kGrid) return false;
  if (record.segment < moment.segment) return true;
  if (record.scope == kThread && record.thread == moment.thread) return true;
  const bool same_warp = record.thread / kWarpSize == moment.thread / kWarpSize;
  return record.scope <= kWarp && same_warp && record.warp_epoch < moment.warp_epoch;
}

Record present(unsigned mask, bool atomic) {
  return {moment.segment, moment.warp_epoch, moment.thread, mask, atomic, kThread};
}

std::string race(const char* what, const void* address, const Record& with, const char* had) {
  std::string who = "several threads";
  if (with.scope == kThread && with.segment >= moment.block_start) who = "thread " + std::to_string(with.thread);
  if (with.segment < moment.block_start) who = "another block";
  return std::string("race: ") + what + " what " + who + " " + had + " without synchronisation, " +
         describe_place(address);
}

// What stands for this access and for those before that it may share a record with: reads, or atomics. One that the
// record cannot take in gives way: some races of single bytes then stay unseen, none is made up.
Record joined(const Record& before, unsigned mask, bool atomic) {
  Record record = present(mask, atomic);
  if (ordered(before) || !(before.bytes & mask)) return record;
  const bool same_block = before.scope != kGrid && before.segment >= moment.block_start;
  const bool same_warp = before.scope <= kWarp && before.thread / kWarpSize == moment.thread / kWarpSize;
  record.scope = !same_block ? kGrid : same_warp ? kWarp : kBlock;
  return record;
}

std::string check_word(Area& area, size_t index, unsigned mask, const void* address, Access access) {
  Word& word = area.words[index];
  uint8_t& state = area.states[index];
  // Shared memory begins anew with each block.
  if (&area == &shared_area) {
    if (word.write.segment < moment.block_start) {
      state &= 0xf0;
      word.write = Record();
    }
    if (word.read.segment < moment.block_start) word.read = Record();
  }
  const bool atomic = access == Access::kAtomic;
  if (access != Access::kWrite && (state & mask) != mask) {
    return "reads memory that nothing has written, " + describe_place(address);
  }
  const bool overlaps = word.write.bytes & mask;
  if (overlaps && !(atomic && word.write.atomic) && !ordered(word.write)) {
    return race(access == Access::kRead ? "reads" : "writes", address, word.write, "writes");
  }
  if (access == Access::kRead) {
    word.read = joined(word.read, mask, false);
    return "";
  }
  if ((word.read.bytes & mask) && !ordered(word.read)) return race("writes", address, word.read, "reads");
  // An atomic that follows this thread's own plain write does not make that one atomic.
  const bool hides_plain = word.write.segment == moment.segment && overlaps && !word.write.atomic;
  word.write = joined(word.write, mask, atomic && !hides_plain);
  state |= mask;
  return "";
}

}  // namespace

std::string check_access(const void* address, size_t bytes, Access access) {
  // Variables of the thread itself.
  if (reinterpret_cast<uintptr_t>(address) - reinterpret_cast<uintptr_t>(current_stack()) < kStackBytes) return "";
  Area& area = shared_area.contains(address) ? shared_area : device_area;
  const char* what = access == Access::kRead ? "reads" : "writes";
  if (!area.contains(address) || bytes > area.bytes - area.offset_of(address))
    return out_of_range(what, address, bytes);
  std::string wrong;
  any_word(area, address, bytes, [&](size_t word, unsigned mask) {
    if (mask & ~(area.states[word] >> 4))
      wrong = out_of_range(what, address, bytes);
    else
      wrong = check_word(area, word, mask, address, access);
    return !wrong.empty();
  });
  return wrong;
}

}  // namespace yolox::emulation
