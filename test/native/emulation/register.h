// Included after a .cu file: makes its kernels known to the emulator by name, with their parameters' types.
#pragma once

#include <initializer_list>
#include <tuple>
#include <utility>

#include "native/launcher.h"

namespace emulation {

void add_kernel(const char* stem, const char* name, std::initializer_list<int> codes, void (*call)(void**));

template <auto kKernel>
struct Signature;
template <typename... Parameters, void (*kKernel)(Parameters...)>
struct Signature<kKernel> {
  // Reads the arguments from the host's memory, which the kernel itself may not.
  template <size_t... kIndex>
  __attribute__((no_sanitize("thread"))) static void call(void** arguments, std::index_sequence<kIndex...>) {
    kKernel(*static_cast<std::remove_reference_t<Parameters>*>(arguments[kIndex])...);
  }
  static bool add(const char* stem, const char* name) {
    add_kernel(stem, name, {yolox::argument_code<Parameters>()...},
               [](void** arguments) { call(arguments, std::index_sequence_for<Parameters...>()); });
    return true;
  }
};

}  // namespace emulation

#define YOLOX_EMULATE(stem, name) static const bool name##_known = emulation::Signature<name>::add(#stem, #name);
