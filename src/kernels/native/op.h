// What every <op>_op.cc needs of TensorFlow. Also the precompiled header of the build.
#pragma once

#include <string>

#include "native/parallel.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace yolox {

using tensorflow::DEVICE_CPU;
using tensorflow::DEVICE_GPU;
using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;

enum class Device { kCpu, kGpu };

// OpenMP's threads: the ones oneDNN computes with, so that only one pool is awake in a step.
const ParallelFor& parallel_for();
int64_t worker_count();

// "<op>: expected <name> of shape <expected>, received <shape>"
inline absl::Status shape_error(const char* op, const char* name, const std::string& expected, const Tensor& received) {
  return tensorflow::errors::InvalidArgument(op, ": expected ", name, " of shape ", expected, ", received ",
                                             received.shape().DebugString());
}

// An output with its memory; a failure is recorded in the context and makes the result null.
inline Tensor* allocate_output(OpKernelContext* ctx, int index, const TensorShape& shape) {
  Tensor* output = nullptr;
  absl::Status status = ctx->allocate_output(index, shape, &output);
  if (!status.ok()) ctx->SetStatus(status);
  return status.ok() ? output : nullptr;
}

// Uninitialised float scratch memory for the time of one Compute, on the op's device.
inline float* scratch(OpKernelContext* ctx, Tensor* holder, int64_t floats) {
  absl::Status status = ctx->allocate_temp(tensorflow::DT_FLOAT, TensorShape({floats}), holder);
  if (!status.ok()) ctx->SetStatus(status);
  return status.ok() ? holder->flat<float>().data() : nullptr;
}

inline const float* floats(const Tensor& tensor) { return tensor.flat<float>().data(); }
inline float* floats(Tensor* tensor) { return tensor->flat<float>().data(); }

}  // namespace yolox
