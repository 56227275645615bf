// Work in phases under one parallel_for: the threads start and end together once, whatever the number of phases.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "native/parallel.h"

namespace yolox {

// Waits until `done` has reached `least`. A unit takes microseconds. A thread that takes much longer has probably been
// preempted, so this one yields its processor.
inline void wait_for(const std::atomic<int64_t>& done, int64_t least) {
  constexpr int kSpins = 2000;
  for (int spins = 0; done.load(std::memory_order_acquire) < least; ++spins) {
    if (spins < kSpins) {
      __builtin_ia32_pause();
    } else {
      std::this_thread::yield();
    }
  }
}

// Calls body(worker, phase, unit) for every unit of units[0], then, when these are done, of units[1], and so on.
// Workers take units as they come, so one that other programs hold up delays only the unit it has begun.
template <typename Body>
void run_phases(const ParallelFor& parallel, int64_t workers, const std::vector<int64_t>& units, const Body& body) {
  alignas(64) std::atomic<int64_t> taken{0};
  alignas(64) std::atomic<int64_t> done{0};
  parallel(workers, [&](int64_t begin, int64_t end) {
    for (int64_t worker = begin; worker < end; ++worker) {
      size_t phase = 0;
      int64_t before = 0;  // units of the phases before
      while (true) {
        const int64_t ticket = taken.fetch_add(1, std::memory_order_relaxed);
        while (phase < units.size() && ticket >= before + units[phase]) before += units[phase++];
        if (phase == units.size()) break;
        wait_for(done, before);
        body(worker, phase, ticket - before);
        done.fetch_add(1, std::memory_order_release);
      }
    }
  });
}

}  // namespace yolox
