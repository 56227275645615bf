#include "emulation/fiber.h"

#include <sys/mman.h>

#include <cstdlib>
#include <vector>

// Saves the callee's registers on this stack and goes on with those on another one (System V ABI, x86-64).
asm(R"(
.text
.globl yolox_switch_stack
.type yolox_switch_stack, @function
yolox_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size yolox_switch_stack, .-yolox_switch_stack
)");

extern "C" void yolox_switch_stack(void** save, void* load);

namespace yolox::emulation {
namespace {

constexpr int kSavedRegisters = 6;
// The lowest page of a stack is kept inaccessible, so that an overflow crashes instead of reaching the next stack.
constexpr size_t kGuardBytes = 4096;

void* scheduler;
Fiber* current;
std::vector<char*> free_stacks;

char* take_stack() {
  if (!free_stacks.empty()) {
    char* stack = free_stacks.back();
    free_stacks.pop_back();
    return stack;
  }
  void* memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory, kGuardBytes, PROT_NONE) != 0) abort();
  return static_cast<char*>(memory);
}

}  // namespace

void resume(Fiber& fiber, void (*entry)()) {
  if (!fiber.stack) {
    fiber.stack = take_stack();
    // A return address above the entry's keeps the stack aligned as a call would; nothing ever returns to it.
    void** top = reinterpret_cast<void**>(fiber.stack + kStackBytes) - 1;
    *top = nullptr;
    *--top = reinterpret_cast<void*>(entry);
    fiber.stack_pointer = top - kSavedRegisters;
  }
  current = &fiber;
  yolox_switch_stack(&scheduler, fiber.stack_pointer);
}

const char* current_stack() { return current->stack; }

void stop() { yolox_switch_stack(&current->stack_pointer, scheduler); }

void leave() {
  discard(*current);
  void* nowhere;
  yolox_switch_stack(&nowhere, scheduler);
  abort();
}

void discard(Fiber& fiber) {
  if (fiber.stack) free_stacks.push_back(fiber.stack);
  fiber = Fiber();
}

}  // namespace yolox::emulation
