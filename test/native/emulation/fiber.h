// Threads that take turns on one processor: each has a stack and runs until it hands control back.
#pragma once

#include <cstddef>
#include <cstdint>

namespace yolox::emulation {

struct Fiber {
  void* stack_pointer = nullptr;  // where it stopped; null before it starts and after it has ended
  char* stack = nullptr;
};

constexpr size_t kStackBytes = 64 << 10;

// Runs a fiber until it stops or ends; one that has not started yet starts with `entry`, which must end in leave().
void resume(Fiber& fiber, void (*entry)());

// Lowest address of the running fiber's stack.
const char* current_stack();

// Within a fiber: hands control back to resume(), which goes on here the next time.
void stop();

// Within a fiber: ends it, whatever it was doing, and frees its stack.
[[noreturn]] void leave();

// From outside: ends a fiber that has stopped.
void discard(Fiber& fiber);

}  // namespace yolox::emulation
