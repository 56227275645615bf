// Runs CUDA kernels on the host: blocks one after the other, the threads of a block as fibers that take turns at
// barriers, every access to memory checked (emulation/memory.h).
#pragma once

#include <string>
#include <vector>

#include "native/launcher.h"

namespace yolox::emulation {

// In which order threads run between barriers, and blocks after one another. A kernel may not depend on it.
enum class Schedule { kForward, kReverse, kShuffled };
void set_schedule(Schedule schedule);

struct Kernel {
  std::string stem, name;
  std::vector<int> codes;  // of its parameters, see native/launcher.h
  void (*call)(void** arguments);
};

// Every kernel linked into the program.
std::vector<Kernel>& kernels();
// Null where there is none; an empty stem means any.
const Kernel* find_kernel(const std::string& stem, const std::string& name);

// Returns what went wrong, naming kernel, block and thread, or nothing. `codes` may be null, then they aren't compared.
std::string launch(const Kernel& kernel, Dim grid, Dim block, unsigned shared_bytes, void** arguments,
                   const int* codes);

// Ends the running launch with this message; `code` is an address in the kernel, or null.
[[noreturn]] void fail(const std::string& message, const void* code);

}  // namespace yolox::emulation
