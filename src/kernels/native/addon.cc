// The Node addon around our ops. Loading it registers them with TensorFlow (static initialisers of every <op>_op.cc);
// useKernels(folder) says where set-up keeps the compiled CUDA kernels, listOps() names the ops.
#include <malloc.h>
#include <node_api.h>
#include <omp.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "native/cuda_driver.h"
#include "native/op.h"

namespace yolox {
namespace {

// A training step allocates and frees the same gigabyte again and again. Given back to the system, every page of it
// would be faulted in and zeroed anew, which costs more than the kernels that are bound by memory.
void keep_freed_memory() {
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
  mallopt(M_TOP_PAD, 64 << 20);
}

// The number TensorFlow's own kernels were told to use.
void limit_threads() {
  const char* text = std::getenv("TF_NUM_INTRAOP_THREADS");
  const int threads = text ? std::atoi(text) : 0;
  if (threads > 0) omp_set_num_threads(threads);
}

napi_value use_kernels(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  size_t length = 0;
  if (count < 1 || napi_get_value_string_utf8(env, argument, nullptr, 0, &length) != napi_ok) {
    napi_throw_type_error(env, nullptr, "useKernels: expected the path of a folder");
    return nullptr;
  }
  std::string path(length, '\0');
  napi_get_value_string_utf8(env, argument, path.data(), length + 1, &length);
  set_kernel_directory(path);
  return nullptr;
}

// Names of the ops this addon has registered.
napi_value list_ops(napi_env env, napi_callback_info) {
  std::vector<tensorflow::OpDef> registered;
  tensorflow::OpRegistry::Global()->GetRegisteredOps(&registered);
  napi_value list, name;
  napi_create_array(env, &list);
  uint32_t count = 0;
  for (const tensorflow::OpDef& op : registered) {
    if (op.name().rfind("Yolox", 0) != 0) continue;
    napi_create_string_utf8(env, op.name().data(), op.name().size(), &name);
    napi_set_element(env, list, count++, name);
  }
  return list;
}

void export_function(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
  napi_set_named_property(env, exports, name, function);
}

}  // namespace

const ParallelFor& parallel_for() {
  static const ParallelFor on_all_threads = [](int64_t count, const std::function<void(int64_t, int64_t)>& body) {
#pragma omp parallel for schedule(dynamic, 1) if (count > 1)
    for (int64_t i = 0; i < count; ++i) body(i, i + 1);
  };
  return on_all_threads;
}

int64_t worker_count() { return omp_get_max_threads(); }

}  // namespace yolox

NAPI_MODULE_INIT() {
  yolox::keep_freed_memory();
  yolox::limit_threads();
  yolox::export_function(env, exports, "useKernels", yolox::use_kernels);
  yolox::export_function(env, exports, "listOps", yolox::list_ops);
  return exports;
}
