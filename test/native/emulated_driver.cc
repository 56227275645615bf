// A libcuda.so.1 whose card is the emulator: cuda_driver.cc and cuda-check run on it as they would on a driver's.
// EMULATED_CAPABILITY names the card's compute capability (default 90).
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "emulation/emulator.h"
#include "emulation/memory.h"

namespace {

using namespace yolox;

enum Result { kSuccess = 0, kInvalidValue = 1, kInvalidImage = 200, kNotFound = 500, kLaunchFailed = 719 };
constexpr int kCapabilityMajor = 75;

using Clock = std::chrono::steady_clock;
using Pointer = unsigned long long;

int context, module, allocations;

int capability() {
  const char* text = getenv("EMULATED_CAPABILITY");
  return text ? atoi(text) : 90;
}

void* memory(Pointer address) { return reinterpret_cast<void*>(address); }

Result reported(const std::string& wrong, Result result) {
  if (!wrong.empty()) fprintf(stderr, "emulated card: %s\n", wrong.c_str());
  return wrong.empty() ? kSuccess : result;
}

}  // namespace

extern "C" {

int cuInit(unsigned) { return kSuccess; }
int cuGetErrorName(int result, const char** name) {
  *name = result == kNotFound       ? "CUDA_ERROR_NOT_FOUND"
          : result == kLaunchFailed ? "CUDA_ERROR_LAUNCH_FAILED"
          : result == kInvalidImage ? "CUDA_ERROR_INVALID_IMAGE"
                                    : "CUDA_ERROR_INVALID_VALUE";
  return kSuccess;
}
// NVRTC asks for this one; a driver may not know the table.
int cuGetExportTable(const void**, const void*) { return kNotFound; }
int cuGetErrorString(int, const char** text) {
  *text = nullptr;
  return kInvalidValue;
}
int cuDeviceGetCount(int* count) {
  *count = 1;
  return kSuccess;
}
int cuDeviceGet(int* device, int) {
  *device = 0;
  return kSuccess;
}
int cuDeviceGetName(char* name, int length, int) {
  snprintf(name, length, "Emulated card");
  return kSuccess;
}
int cuDeviceGetAttribute(int* value, int attribute, int) {
  *value = attribute == kCapabilityMajor ? capability() / 10 : capability() % 10;
  return kSuccess;
}
int cuDevicePrimaryCtxRetain(void** result, int) {
  *result = &context;
  return kSuccess;
}
int cuCtxSetCurrent(void*) { return kSuccess; }
int cuCtxGetCurrent(void** result) {
  *result = &context;
  return kSuccess;
}
int cuCtxPushCurrent_v2(void*) { return kSuccess; }
int cuCtxPopCurrent_v2(void** result) { return cuCtxGetCurrent(result); }
int cuStreamGetCtx(void*, void** result) { return cuCtxGetCurrent(result); }
int cuCtxGetDevice(int* device) { return cuDeviceGet(device, 0); }
int cuCtxSynchronize() { return kSuccess; }

// A binary is an ELF file; PTX says its version.
int cuModuleLoadData(void** result, const void* image) {
  const char* text = static_cast<const char*>(image);
  *result = &module;
  return memcmp(text,
                "\x7f"
                "ELF",
                4) == 0 ||
                 strstr(text, ".version")
             ? kSuccess
             : kInvalidImage;
}
int cuModuleGetFunction(void** function, void*, const char* name) {
  *function = const_cast<emulation::Kernel*>(emulation::find_kernel("", name));
  return *function ? kSuccess : kNotFound;
}
int cuLaunchKernel(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                   unsigned block_y, unsigned block_z, unsigned shared_bytes, void*, void** parameters, void**) {
  return reported(emulation::launch(*static_cast<emulation::Kernel*>(function), {grid_x, grid_y, grid_z},
                                    {block_x, block_y, block_z}, shared_bytes, parameters, nullptr),
                  kLaunchFailed);
}

int cuMemAlloc_v2(Pointer* result, size_t bytes) {
  if (bytes == 0) return kInvalidValue;
  ++allocations;
  *result = reinterpret_cast<Pointer>(emulation::allocate(bytes));
  return kSuccess;
}
int cuMemFree_v2(Pointer) {
  if (--allocations == 0) emulation::release_all();
  return kSuccess;
}
int cuMemcpyHtoD_v2(Pointer to, const void* from, size_t bytes) {
  return reported(emulation::copy_in(memory(to), from, bytes), kInvalidValue);
}
int cuMemcpyDtoH_v2(void* to, Pointer from, size_t bytes) {
  return reported(emulation::copy_out(to, memory(from), bytes), kInvalidValue);
}
int cuMemsetD8Async(Pointer to, unsigned char value, size_t bytes, void*) {
  const std::string values(bytes, static_cast<char>(value));
  return reported(emulation::copy_in(memory(to), values.data(), bytes), kInvalidValue);
}

int cuEventCreate(void** event, unsigned) {
  *event = new Clock::time_point;
  return kSuccess;
}
int cuEventRecord(void* event, void*) {
  *static_cast<Clock::time_point*>(event) = Clock::now();
  return kSuccess;
}
int cuEventSynchronize(void*) { return kSuccess; }
int cuEventElapsedTime(float* milliseconds, void* from, void* to) {
  const auto span = *static_cast<Clock::time_point*>(to) - *static_cast<Clock::time_point*>(from);
  *milliseconds = std::chrono::duration<float, std::milli>(span).count();
  return kSuccess;
}

}  // extern "C"
