#include "emulation/emulator.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "emulation/cuda.h"
#include "emulation/fiber.h"
#include "emulation/memory.h"
#include "emulation/register.h"
#include "emulation/where.h"

namespace yolox::emulation {
namespace {

constexpr unsigned kMaxThreads = 1024;
constexpr unsigned kMaxGridYZ = 65535;

enum class State { kReady, kAtBarrier, kInWarp, kExited };

struct Thread {
  Fiber fiber;
  State state;
  int line;  // of the barrier or warp function it waits in
};

// Lanes meet in turns; the values of one turn stay readable during the next.
struct Warp {
  uint32_t alive = 0, arrived = 0, turn = 0;
  uint32_t took_part[2] = {};
  uint64_t values[2][kWarpSize];
  uint16_t epoch = 0;
};

Schedule schedule = Schedule::kForward;
std::mt19937 shuffling{7};

const Kernel* kernel;
void** kernel_arguments;
uint3 grid_dim, block_dim, block_id;
std::vector<Thread> threads;
std::vector<Warp> warps;
unsigned current;
int barrier_sum, barrier_result;
std::string failure;
uint32_t next_segment = 1;

uint3 index_of(unsigned i) { return {i % block_dim.x, i / block_dim.x % block_dim.y, i / (block_dim.x * block_dim.y)}; }

std::string text(uint3 index) {
  return "(" + std::to_string(index.x) + "," + std::to_string(index.y) + "," + std::to_string(index.z) + ")";
}

void arrange(std::vector<unsigned>& order) {
  std::iota(order.begin(), order.end(), 0u);
  if (schedule == Schedule::kReverse) std::reverse(order.begin(), order.end());
  if (schedule == Schedule::kShuffled) std::shuffle(order.begin(), order.end(), shuffling);
}

void finish_turn(unsigned warp_index) {
  Warp& warp = warps[warp_index];
  if (warp.arrived == 0 || warp.arrived != warp.alive) return;
  warp.took_part[warp.turn & 1] = warp.arrived;
  warp.turn++;
  warp.arrived = 0;
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    const unsigned i = warp_index * kWarpSize + lane;
    if (i < threads.size() && threads[i].state == State::kInWarp) threads[i].state = State::kReady;
  }
}

void thread_main() {
  kernel->call(kernel_arguments);
  threads[current].state = State::kExited;
  const unsigned warp = current / kWarpSize;
  warps[warp].alive &= ~(1u << current % kWarpSize);
  finish_turn(warp);
  leave();
}

// Where a thread waits, for the report of threads that never meet.
std::string waiting_place(unsigned i) {
  const Thread& thread = threads[i];
  std::string where = "thread " + text(index_of(i));
  if (thread.state == State::kExited) return where + " has ended";
  const char* what = thread.state == State::kAtBarrier ? " waits at __syncthreads" : " waits in a warp function";
  return where + what + " in line " + std::to_string(thread.line);
}

void begin_segment() {
  moment.segment = next_segment++;
  for (Warp& warp : warps) warp.epoch = 0;
}

// After every thread has stopped: opens the barrier they wait at; false where all have ended.
bool open_barrier() {
  const auto differs = [](const Thread& a) {
    return a.state != threads[0].state || (a.state != State::kExited && a.line != threads[0].line);
  };
  const auto other = std::find_if(threads.begin(), threads.end(), differs);
  if (other != threads.end() || threads[0].state == State::kInWarp) {
    const unsigned i = other == threads.end() ? 0 : other - threads.begin();
    failure = "divergent barrier: " + waiting_place(0) + ", " + waiting_place(i);
  }
  if (!failure.empty() || threads[0].state == State::kExited) return false;
  for (Thread& thread : threads) thread.state = State::kReady;
  barrier_result = barrier_sum;
  barrier_sum = 0;
  begin_segment();
  return true;
}

// Runs every thread that can go on; false where none could.
bool run_ready(const std::vector<unsigned>& order) {
  bool any = false;
  for (unsigned i : order) {
    if (threads[i].state != State::kReady) continue;
    any = true;
    current = i;
    moment.thread = i;
    moment.warp_epoch = warps[i / kWarpSize].epoch;
    resume(threads[i].fiber, thread_main);
    if (!failure.empty()) break;
  }
  return any && failure.empty();
}

void run_block() {
  threads.assign(threads.size(), Thread{{}, State::kReady, 0});
  warps.assign((threads.size() + kWarpSize - 1) / kWarpSize, Warp());
  for (unsigned i = 0; i < threads.size(); ++i) warps[i / kWarpSize].alive |= 1u << i % kWarpSize;
  begin_segment();
  moment.block_start = moment.segment;
  barrier_sum = 0;
  static std::vector<unsigned> order;
  order.resize(threads.size());
  do {
    arrange(order);
    while (run_ready(order)) {
    }
  } while (failure.empty() && open_barrier());
  for (Thread& thread : threads) discard(thread.fiber);
}

std::string wrong_launch(Dim grid, Dim block, unsigned shared_bytes, const int* codes) {
  const uint64_t count = uint64_t{block.x} * block.y * block.z;
  if (count == 0 || count > kMaxThreads) return "a block of " + std::to_string(count) + " threads";
  if (block.z > 64) return "a block of more than 64 threads in z";
  if (uint64_t{grid.x} * grid.y * grid.z == 0) return "an empty grid";
  if (grid.x > INT32_MAX || grid.y > kMaxGridYZ || grid.z > kMaxGridYZ) return "a grid beyond the limits of a card";
  if (shared_bytes > 0) return "dynamic shared memory, which is not emulated";
  for (size_t i = 0; codes && i <= kernel->codes.size(); ++i) {
    const int expected = i < kernel->codes.size() ? kernel->codes[i] : 0;
    if (codes[i] != expected) return "argument " + std::to_string(i) + " does not have the parameter's type";
    if (codes[i] == 0) break;
  }
  return "";
}

void stop_in(State state, int line) {
  threads[current].state = state;
  threads[current].line = line;
  stop();
}

}  // namespace

void set_schedule(Schedule chosen) { schedule = chosen; }

std::vector<Kernel>& kernels() {
  static std::vector<Kernel> all;
  return all;
}

const Kernel* find_kernel(const std::string& stem, const std::string& name) {
  for (const Kernel& each : kernels()) {
    if ((stem.empty() || each.stem == stem) && each.name == name) return &each;
  }
  return nullptr;
}

std::string launch(const Kernel& chosen, Dim grid, Dim block, unsigned shared_bytes, void** arguments,
                   const int* codes) {
  kernel = &chosen;
  kernel_arguments = arguments;
  const std::string wrong = wrong_launch(grid, block, shared_bytes, codes);
  if (!wrong.empty()) return "kernel " + chosen.name + ": " + wrong;
  grid_dim = {grid.x, grid.y, grid.z};
  block_dim = {block.x, block.y, block.z};
  threads.resize(block.x * block.y * block.z);
  failure.clear();
  moment = Moment();
  moment.in_kernel = true;
  moment.launch_start = next_segment;
  std::vector<unsigned> blocks(uint64_t{grid.x} * grid.y * grid.z);
  arrange(blocks);
  for (unsigned i : blocks) {
    block_id = {i % grid.x, i / grid.x % grid.y, i / (grid.x * grid.y)};
    run_block();
    if (!failure.empty()) break;
  }
  moment = Moment();
  return failure.empty() ? "" : "kernel " + chosen.name + ", block " + text(block_id) + ": " + failure;
}

void fail(const std::string& message, const void* code) {
  failure = "thread " + text(index_of(current)) + ": " + message + where(code);
  moment.in_kernel = false;
  leave();
}

}  // namespace yolox::emulation

// What emulation/cuda.h promises to kernels.
namespace emulation {

using namespace yolox::emulation;

uint3 thread_index() { return index_of(current); }
uint3 block_index() { return block_id; }
uint3 block_size() { return block_dim; }
uint3 grid_size() { return grid_dim; }
int lane() { return current % kWarpSize; }

int barrier_count(int line, int value) {
  barrier_sum += value;
  stop_in(State::kAtBarrier, line);
  return barrier_result;
}

void barrier(int line) { barrier_count(line, 0); }

unsigned warp_exchange(int line, unsigned mask, uint64_t value, uint64_t values[32]) {
  const unsigned index = current / kWarpSize;
  Warp& warp = warps[index];
  if (mask != ~0u) fail("a warp function whose mask is not full, which is not emulated", __builtin_return_address(0));
  for (unsigned other = index * kWarpSize; other < (index + 1) * kWarpSize && other < threads.size(); ++other) {
    if (threads[other].state == State::kInWarp && threads[other].line != line) {
      fail("divergent warp: line " + std::to_string(line) + ", while " + waiting_place(other), nullptr);
    }
  }
  const unsigned slot = warp.turn & 1;
  warp.values[slot][lane()] = value;
  warp.arrived |= 1u << lane();
  const uint32_t turn = warp.turn;
  finish_turn(index);
  if (warp.turn == turn) stop_in(State::kInWarp, line);
  memcpy(values, warp.values[slot], sizeof(warp.values[slot]));
  return warp.took_part[slot];
}

void warp_barrier(int line, unsigned mask) {
  Warp& warp = warps[current / kWarpSize];
  const uint16_t epoch = moment.warp_epoch;
  uint64_t values[kWarpSize];
  warp_exchange(line, mask, 0, values);
  warp.epoch = moment.warp_epoch = epoch + 1;
}

void missing_lane(int line, int source) {
  fail("a shuffle in line " + std::to_string(line) + " reads lane " + std::to_string(source) +
           ", which does not take part",
       nullptr);
}

void atomic_access(const void* address, unsigned bytes) {
  const std::string wrong = check_access(address, bytes, Access::kAtomic);
  if (!wrong.empty()) fail(wrong, __builtin_return_address(0));
}

void add_kernel(const char* stem, const char* name, std::initializer_list<int> codes, void (*call)(void**)) {
  kernels().push_back({stem, name, codes, call});
}

}  // namespace emulation
