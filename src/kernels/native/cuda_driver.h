// NVIDIA's driver, opened at run time so that one binary serves machines with and without a card, and the kernels that
// set-up has compiled (scripts/setup/cuda_kernels.mjs), loaded where they are first launched. Functions that can fail
// return what went wrong as text, naming the kernel or call and the driver's reason, or nothing.
#pragma once

#include <cstddef>
#include <string>

#include "native/launcher.h"

namespace yolox {

// The folder that holds <stem>.sm_<capability>.cubin and <stem>.compute_<capability>.ptx. Call before any launch.
void set_kernel_directory(const std::string& path);

// In the calling thread's current context, or where it has none in the stream's. `stream`: a CUstream. Returns at once;
// only the launch itself can fail.
std::string cuda_launch(const char* stem, const char* kernel, Dim grid, Dim block, unsigned shared_bytes, void* stream,
                        void** arguments);
// Sets memory to zero bytes, in order with the launches of the stream.
std::string cuda_zero(void* memory, size_t bytes, void* stream);

// The driver's functions, as its cuda.h declares them: the types here stand for CUresult, CUdevice, CUcontext,
// CUmodule, CUfunction, CUstream, CUevent and CUdeviceptr.
struct CudaDriver {
  using Result = int;
  using Device = int;
  using Pointer = unsigned long long;

  // Attributes of a device (CUdevice_attribute).
  static constexpr int kCapabilityMajor = 75, kCapabilityMinor = 76;

  Result (*init)(unsigned flags);
  Result (*get_error_name)(Result, const char** name);
  Result (*get_error_string)(Result, const char** text);
  Result (*device_get_count)(int* count);
  Result (*device_get)(Device*, int ordinal);
  Result (*device_get_name)(char* name, int length, Device);
  Result (*device_get_attribute)(int* value, int attribute, Device);
  Result (*primary_context_retain)(void** context, Device);
  Result (*context_set_current)(void* context);
  Result (*context_get_current)(void** context);
  Result (*context_push)(void* context);
  Result (*context_pop)(void** context);
  Result (*context_get_device)(Device*);
  Result (*context_synchronize)();
  Result (*stream_get_context)(void* stream, void** context);
  Result (*module_load_data)(void** module, const void* image);
  Result (*module_get_function)(void** function, void* module, const char* name);
  Result (*launch_kernel)(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                          unsigned block_y, unsigned block_z, unsigned shared_bytes, void* stream, void** parameters,
                          void** extra);
  Result (*memory_allocate)(Pointer*, size_t bytes);
  Result (*memory_free)(Pointer);
  Result (*copy_to_device)(Pointer to, const void* from, size_t bytes);
  Result (*copy_to_host)(void* to, Pointer from, size_t bytes);
  Result (*set_bytes)(Pointer, unsigned char value, size_t bytes, void* stream);
  Result (*event_create)(void** event, unsigned flags);
  Result (*event_record)(void* event, void* stream);
  Result (*event_synchronize)(void* event);
  Result (*event_elapsed_time)(float* milliseconds, void* from, void* to);

  // "<call>: <CUDA_ERROR_…> (<driver's explanation>)", or nothing for success.
  std::string explain(const std::string& call, Result result) const;
};

// The driver, opened and initialised once; null where there is none, with the reason in `error`.
const CudaDriver* cuda_driver(std::string* error);

}  // namespace yolox
