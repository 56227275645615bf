#include "native/cuda_driver.h"

#include <dlfcn.h>

#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <utility>

namespace yolox {
namespace {

// Binary kernels run on later cards of the same generation too: the first digits of a capability.
constexpr int kGeneration = 10;
constexpr int kOldestCapability = 50;

struct OpenedDriver {
  CudaDriver driver{};
  std::string error;
};

OpenedDriver open_driver() {
  OpenedDriver opened;
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    opened.error = "no NVIDIA driver is installed (libcuda.so.1 was not found)";
    return opened;
  }
  const auto bind = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(library, name));
    if (!function) opened.error = std::string("the NVIDIA driver is too old: it lacks ") + name;
  };
  CudaDriver& driver = opened.driver;
  bind(driver.init, "cuInit");
  bind(driver.get_error_name, "cuGetErrorName");
  bind(driver.get_error_string, "cuGetErrorString");
  bind(driver.device_get_count, "cuDeviceGetCount");
  bind(driver.device_get, "cuDeviceGet");
  bind(driver.device_get_name, "cuDeviceGetName");
  bind(driver.device_get_attribute, "cuDeviceGetAttribute");
  bind(driver.primary_context_retain, "cuDevicePrimaryCtxRetain");
  bind(driver.context_set_current, "cuCtxSetCurrent");
  bind(driver.context_get_current, "cuCtxGetCurrent");
  bind(driver.context_push, "cuCtxPushCurrent_v2");
  bind(driver.context_pop, "cuCtxPopCurrent_v2");
  bind(driver.context_get_device, "cuCtxGetDevice");
  bind(driver.context_synchronize, "cuCtxSynchronize");
  bind(driver.stream_get_context, "cuStreamGetCtx");
  bind(driver.module_load_data, "cuModuleLoadData");
  bind(driver.module_get_function, "cuModuleGetFunction");
  bind(driver.launch_kernel, "cuLaunchKernel");
  bind(driver.memory_allocate, "cuMemAlloc_v2");
  bind(driver.memory_free, "cuMemFree_v2");
  bind(driver.copy_to_device, "cuMemcpyHtoD_v2");
  bind(driver.copy_to_host, "cuMemcpyDtoH_v2");
  bind(driver.set_bytes, "cuMemsetD8Async");
  bind(driver.event_create, "cuEventCreate");
  bind(driver.event_record, "cuEventRecord");
  bind(driver.event_synchronize, "cuEventSynchronize");
  bind(driver.event_elapsed_time, "cuEventElapsedTime");
  if (opened.error.empty()) opened.error = driver.explain("cuInit", driver.init(0));
  return opened;
}

std::mutex mutex;
std::string directory;
// By context and stem, and by module and kernel. Contexts live as long as the process.
std::map<std::pair<void*, std::string>, void*> modules;
std::map<std::pair<void*, std::string>, void*> functions;

// The contents of a file, with the end a PTX needs; empty where there is none.
std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The stem's kernels for a card of this capability (90 for 9.0): as binary, or as PTX, which the driver compiles.
std::string find_image(const std::string& stem, int capability) {
  for (int each = capability; each >= capability / kGeneration * kGeneration; --each) {
    const std::string image = read_file(directory + "/" + stem + ".sm_" + std::to_string(each) + ".cubin");
    if (!image.empty()) return image;
  }
  for (int each = capability; each >= kOldestCapability; --each) {
    const std::string image = read_file(directory + "/" + stem + ".compute_" + std::to_string(each) + ".ptx");
    if (!image.empty()) return image;
  }
  return "";
}

std::string load_module(const CudaDriver& driver, const std::string& stem, void** module) {
  CudaDriver::Device device = 0;
  int major = 0, minor = 0;
  std::string error = driver.explain("cuCtxGetDevice", driver.context_get_device(&device));
  if (!error.empty()) return error;
  driver.device_get_attribute(&major, CudaDriver::kCapabilityMajor, device);
  driver.device_get_attribute(&minor, CudaDriver::kCapabilityMinor, device);
  const std::string image = find_image(stem, major * kGeneration + minor);
  if (image.empty()) {
    return stem + ".cu is not compiled for this card (compute capability " + std::to_string(major) + "." +
           std::to_string(minor) + ") in " + directory + "; run: npm run setup";
  }
  return driver.explain("cuModuleLoadData of " + stem, driver.module_load_data(module, image.c_str()));
}

// While it lives a context is current: the thread's own, or where it has none the stream's.
class CurrentContext {
 public:
  CurrentContext(const CudaDriver& driver, void* stream, std::string* error) : driver_(driver) {
    *error = driver.explain("cuCtxGetCurrent", driver.context_get_current(&context_));
    if (!error->empty() || context_) return;
    *error = driver.explain("cuStreamGetCtx", driver.stream_get_context(stream, &context_));
    if (error->empty()) *error = driver.explain("cuCtxPushCurrent", driver.context_push(context_));
    pushed_ = error->empty();
  }
  ~CurrentContext() {
    if (pushed_) driver_.context_pop(&context_);
  }
  CurrentContext(const CurrentContext&) = delete;
  CurrentContext& operator=(const CurrentContext&) = delete;

  void* get() const { return context_; }

 private:
  const CudaDriver& driver_;
  void* context_ = nullptr;
  bool pushed_ = false;
};

// The kernel in `context`, which is current; loaded on first use.
std::string find_function(const CudaDriver& driver, void* context, const char* stem, const char* kernel,
                          void** function) {
  std::string error;
  const std::lock_guard<std::mutex> lock(mutex);
  void*& module = modules[{context, stem}];
  if (!module) error = load_module(driver, stem, &module);
  if (!error.empty()) return error;
  void*& known = functions[{module, kernel}];
  if (!known) error = driver.explain("cuModuleGetFunction", driver.module_get_function(&known, module, kernel));
  *function = known;
  return error;
}

}  // namespace

std::string CudaDriver::explain(const std::string& call, Result result) const {
  if (result == 0) return "";
  const char *name = nullptr, *text = nullptr;
  get_error_name(result, &name);
  get_error_string(result, &text);
  return call + ": " + (name ? name : "CUresult " + std::to_string(result)) +
         (text ? std::string(" (") + text + ")" : "");
}

const CudaDriver* cuda_driver(std::string* error) {
  static const OpenedDriver opened = open_driver();
  *error = opened.error;
  return opened.error.empty() ? &opened.driver : nullptr;
}

void set_kernel_directory(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex);
  directory = path;
}

std::string cuda_launch(const char* stem, const char* kernel, Dim grid, Dim block, unsigned shared_bytes, void* stream,
                        void** arguments) {
  std::string error;
  const CudaDriver* driver = cuda_driver(&error);
  if (driver) {
    const CurrentContext context(*driver, stream, &error);
    void* function = nullptr;
    if (error.empty()) error = find_function(*driver, context.get(), stem, kernel, &function);
    if (error.empty()) {
      const CudaDriver::Result result = driver->launch_kernel(function, grid.x, grid.y, grid.z, block.x, block.y,
                                                              block.z, shared_bytes, stream, arguments, nullptr);
      error = driver->explain("cuLaunchKernel", result);
    }
  }
  return error.empty() ? "" : std::string("CUDA kernel ") + kernel + ": " + error;
}

std::string cuda_zero(void* memory, size_t bytes, void* stream) {
  std::string error;
  const CudaDriver* driver = cuda_driver(&error);
  if (!driver || bytes == 0) return error;
  const CurrentContext context(*driver, stream, &error);
  if (!error.empty()) return error;
  const auto address = reinterpret_cast<CudaDriver::Pointer>(memory);
  return driver->explain("cuMemsetD8Async", driver->set_bytes(address, 0, bytes, stream));
}

}  // namespace yolox
