// Compiles CUDA sources without a CUDA toolkit or a card, by NVRTC (scripts/setup/cuda_kernels.mjs runs it):
//   nvrtc_compile LIBNVRTC list                                        what it can compile for, and the cards here
//   nvrtc_compile LIBNVRTC compile SOURCE OUTPUT ARCHITECTURE OPTION…  a cubin for sm_*, PTX for compute_*
// `compile` prints the compiler's log, which tells the registers, shared memory and spills of each kernel.
#include <dlfcn.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "native/cuda_driver.h"

namespace yolox {
namespace {

// NVRTC's functions, as its nvrtc.h declares them.
struct Nvrtc {
  using Program = void*;

  int (*get_num_supported_archs)(int* count);
  int (*get_supported_archs)(int* architectures);
  int (*create_program)(Program*, const char* source, const char* name, int headers, const char* const*,
                        const char* const*);
  int (*compile_program)(Program, int options, const char* const* option);
  int (*get_log_size)(Program, size_t*);
  int (*get_log)(Program, char*);
  int (*get_cubin_size)(Program, size_t*);
  int (*get_cubin)(Program, char*);
  int (*get_ptx_size)(Program, size_t*);
  int (*get_ptx)(Program, char*);
  const char* (*get_error_string)(int);
};

bool open_nvrtc(const char* path, Nvrtc& nvrtc) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    return false;
  }
  bool complete = true;
  const auto bind = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(library, name));
    complete &= function != nullptr;
  };
  bind(nvrtc.get_num_supported_archs, "nvrtcGetNumSupportedArchs");
  bind(nvrtc.get_supported_archs, "nvrtcGetSupportedArchs");
  bind(nvrtc.create_program, "nvrtcCreateProgram");
  bind(nvrtc.compile_program, "nvrtcCompileProgram");
  bind(nvrtc.get_log_size, "nvrtcGetProgramLogSize");
  bind(nvrtc.get_log, "nvrtcGetProgramLog");
  bind(nvrtc.get_cubin_size, "nvrtcGetCUBINSize");
  bind(nvrtc.get_cubin, "nvrtcGetCUBIN");
  bind(nvrtc.get_ptx_size, "nvrtcGetPTXSize");
  bind(nvrtc.get_ptx, "nvrtcGetPTX");
  bind(nvrtc.get_error_string, "nvrtcGetErrorString");
  if (!complete) fprintf(stderr, "%s is not the NVRTC of CUDA 12\n", path);
  return complete;
}

std::string json(const std::vector<int>& values) {
  std::string text;
  for (int value : values) text += (text.empty() ? "" : ",") + std::to_string(value);
  return "[" + text + "]";
}

// Compute capabilities of the cards of this machine, 90 for 9.0; none without a driver.
std::vector<int> cards() {
  std::string error;
  std::vector<int> capabilities;
  const CudaDriver* driver = cuda_driver(&error);
  int count = 0;
  if (driver) driver->device_get_count(&count);
  for (int i = 0; i < count; ++i) {
    CudaDriver::Device device;
    int major, minor;
    driver->device_get(&device, i);
    driver->device_get_attribute(&major, CudaDriver::kCapabilityMajor, device);
    driver->device_get_attribute(&minor, CudaDriver::kCapabilityMinor, device);
    capabilities.push_back(major * 10 + minor);
  }
  return capabilities;
}

int list(const Nvrtc& nvrtc) {
  int count = 0;
  nvrtc.get_num_supported_archs(&count);
  std::vector<int> architectures(count);
  nvrtc.get_supported_archs(architectures.data());
  printf("{\"architectures\":%s,\"cards\":%s}\n", json(architectures).c_str(), json(cards()).c_str());
  return 0;
}

// What a pair of NVRTC's functions gives: the size, and as many bytes.
template <typename Size, typename Get>
std::string text_of(Nvrtc::Program program, Size size, Get get) {
  size_t bytes = 0;
  size(program, &bytes);
  std::string text(bytes, '\0');
  if (bytes > 0) get(program, text.data());
  return text;
}

int compile(const Nvrtc& nvrtc, const std::string& source, const std::string& output, const std::string& architecture,
            std::vector<const char*> options) {
  std::ifstream input(source);
  const std::string code{std::istreambuf_iterator<char>(input), std::istreambuf_iterator<char>()};
  if (!input) {
    fprintf(stderr, "%s cannot be read\n", source.c_str());
    return 1;
  }
  const std::string target = "--gpu-architecture=" + architecture;
  options.push_back(target.c_str());
  Nvrtc::Program program;
  nvrtc.create_program(&program, code.c_str(), source.c_str(), 0, nullptr, nullptr);
  const int result = nvrtc.compile_program(program, static_cast<int>(options.size()), options.data());
  const std::string log = text_of(program, nvrtc.get_log_size, nvrtc.get_log);
  fputs(log.c_str(), result == 0 ? stdout : stderr);
  if (result != 0) {
    fprintf(stderr, "%s for %s: %s\n", source.c_str(), architecture.c_str(), nvrtc.get_error_string(result));
    return 1;
  }
  const bool binary = architecture.rfind("sm_", 0) == 0;
  std::ofstream file(output, std::ios::binary);
  // PTX comes with the zero that ends it as a string.
  file << (binary ? text_of(program, nvrtc.get_cubin_size, nvrtc.get_cubin)
                  : text_of(program, nvrtc.get_ptx_size, nvrtc.get_ptx).c_str());
  file.close();
  if (!file) fprintf(stderr, "%s cannot be written\n", output.c_str());
  return file ? 0 : 1;
}

int run(int argc, char** argv) {
  Nvrtc nvrtc;
  if (argc > 2 && !open_nvrtc(argv[1], nvrtc)) return 1;
  if (argc == 3 && strcmp(argv[2], "list") == 0) return list(nvrtc);
  if (argc >= 6 && strcmp(argv[2], "compile") == 0) {
    return compile(nvrtc, argv[3], argv[4], argv[5], {argv + 6, argv + argc});
  }
  fprintf(stderr, "usage: nvrtc_compile LIBNVRTC list | compile SOURCE OUTPUT ARCHITECTURE OPTION…\n");
  return 2;
}

}  // namespace
}  // namespace yolox

int main(int argc, char** argv) { return yolox::run(argc, argv); }
