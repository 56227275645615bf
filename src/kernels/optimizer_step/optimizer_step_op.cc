// YoloxOptimizerStep, YoloxAverageStep and YoloxParameterViews.
#include "native/op.h"

#include <cstring>
#include <vector>

#include "native/cuda_launcher.h"
#include "optimizer_step/optimizer_step.h"

namespace yolox {
namespace {

using tensorflow::OpInputList;
using tensorflow::errors::InvalidArgument;

// Numbers that change from step to step are float32 bits in an int32 tensor: those stay in host memory beside a GPU,
// where reading a float tensor would wait for the card.
constexpr int kStepScalars = 6;     // lr, both unbias factors, the average's decay and gain, unscale
constexpr int kAverageScalars = 2;  // decay, gain

template <int kCount>
absl::Status read_scalars(const char* op, const Tensor& tensor, float (&scalars)[kCount]) {
  if (tensor.NumElements() != kCount) return shape_error(op, "scalars", "[" + std::to_string(kCount) + "]", tensor);
  std::memcpy(scalars, tensor.flat<tensorflow::int32>().data(), sizeof(scalars));
  return absl::OkStatus();
}

// The place of each tensor in a flat vector of `size`.
absl::Status segments_of(const char* op, const OpInputList& tensors, int64_t size, std::vector<Segment>* segments) {
  int64_t offset = 0;
  for (int i = 0; i < tensors.size(); ++i) {
    segments->push_back({floats(tensors[i]), offset, tensors[i].NumElements(), 0});
    offset = segments->back().end();
  }
  if (offset == size) return absl::OkStatus();
  return InvalidArgument(op, ": expected tensors that fill a vector of ", size, ", received tensors that fill ",
                         offset);
}

absl::Status expect_like(const char* op, const char* name, const Tensor& tensor, const Tensor& parameters) {
  if (tensor.shape() == parameters.shape()) return absl::OkStatus();
  return shape_error(op, name, parameters.shape().DebugString(), tensor);
}

template <Device kDevice>
class OptimizerStepOp : public OpKernel {
 public:
  explicit OptimizerStepOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    std::string kind;
    bool nesterov;
    OP_REQUIRES_OK(ctx, ctx->GetAttr("kind", &kind));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("nesterov", &nesterov));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("first_decay", &rule_.first_decay));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("first_gain", &rule_.first_gain));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("second_decay", &rule_.second_decay));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("second_gain", &rule_.second_gain));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("epsilon", &rule_.epsilon));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("weight_decay", &rule_.weight_decay));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("clip_norm", &rule_.clip_norm));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("decayed", &decayed_));
    rule_.adam = kind == "adam";
    rule_.nesterov = nesterov;
  }

  void Compute(OpKernelContext* ctx) override {
    const char* op = "YoloxOptimizerStep";
    const Tensor& parameters = ctx->input(0);
    const int64_t size = parameters.NumElements();
    OpInputList moments, average, gradients;
    OP_REQUIRES_OK(ctx, ctx->input_list("moments", &moments));
    OP_REQUIRES_OK(ctx, ctx->input_list("average", &average));
    OP_REQUIRES_OK(ctx, ctx->input_list("gradients", &gradients));
    OP_REQUIRES(ctx, moments.size() == 1 + rule_.adam,
                InvalidArgument(op, ": expected ", 1 + rule_.adam, " moments, received ", moments.size()));
    OP_REQUIRES(ctx, average.size() <= 1,
                InvalidArgument(op, ": expected at most one average, received ", average.size()));
    OP_REQUIRES(ctx, static_cast<int>(decayed_.size()) == gradients.size(),
                InvalidArgument(op, ": expected as many decay flags as gradients (", gradients.size(), "), received ",
                                decayed_.size()));
    for (const Tensor& moment : moments) OP_REQUIRES_OK(ctx, expect_like(op, "moments", moment, parameters));
    for (const Tensor& values : average) OP_REQUIRES_OK(ctx, expect_like(op, "average", values, parameters));
    std::vector<Segment> segments;
    OP_REQUIRES_OK(ctx, segments_of(op, gradients, size, &segments));
    for (size_t i = 0; i < segments.size(); ++i) segments[i].decayed = decayed_[i] != 0;

    StepRule rule = rule_;
    float scalars[kStepScalars];
    OP_REQUIRES_OK(ctx, read_scalars(op, ctx->input(ctx->num_inputs() - 1), scalars));
    rule.lr = scalars[0];
    rule.first_unbias = scalars[1];
    rule.second_unbias = scalars[2];
    rule.average_decay = scalars[3];
    rule.average_gain = scalars[4];
    rule.unscale = scalars[5];

    // In the order of the inputs: parameters, moments, average.
    const int vectors = 1 + moments.size() + average.size();
    std::vector<Tensor*> next;
    for (int i = 0; i < vectors; ++i) {
      next.push_back(allocate_output(ctx, i, parameters.shape()));
      if (!next.back()) return;
    }
    Tensor* applied = allocate_output(ctx, vectors, TensorShape({1}));
    if (!applied) return;
    Tensor holder;
    float* memory = scratch(ctx, &holder, optimizer_step_scratch(size, gradients.size()));
    if (!memory) return;

    const bool averaging = average.size() > 0;
    const StepBuffers buffers{
        floats(parameters),
        floats(moments[0]),
        rule.adam ? floats(moments[1]) : nullptr,
        averaging ? floats(average[0]) : nullptr,
        floats(next[0]),
        floats(next[1]),
        rule.adam ? floats(next[2]) : nullptr,
        averaging ? floats(next.back()) : nullptr,
    };
    auto* sums = reinterpret_cast<double*>(memory);
    if constexpr (kDevice == Device::kCpu) {
      floats(applied)[0] =
          optimizer_step_cpu(parallel_for(), segments.data(), segments.size(), size, buffers, rule, sums);
    } else {
      CudaLauncher launch(ctx, "optimizer_step");
      optimizer_step_cuda(launch, segments.data(), segments.size(), size, buffers, rule, sums, floats(applied));
      OP_REQUIRES_OK(ctx, launch.status());
    }
  }

 private:
  StepRule rule_{};
  std::vector<int> decayed_;
};

template <Device kDevice>
class AverageStepOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* ctx) override {
    const char* op = "YoloxAverageStep";
    const Tensor& average = ctx->input(0);
    OpInputList values;
    OP_REQUIRES_OK(ctx, ctx->input_list("values", &values));
    std::vector<Segment> segments;
    OP_REQUIRES_OK(ctx, segments_of(op, values, average.NumElements(), &segments));
    float scalars[kAverageScalars];
    OP_REQUIRES_OK(ctx, read_scalars(op, ctx->input(ctx->num_inputs() - 1), scalars));
    Tensor* next = allocate_output(ctx, 0, average.shape());
    if (!next) return;
    const auto [decay, gain] = scalars;
    if constexpr (kDevice == Device::kCpu) {
      average_step_cpu(parallel_for(), segments.data(), segments.size(), average.NumElements(), floats(average), decay,
                       gain, floats(next));
    } else {
      CudaLauncher launch(ctx, "optimizer_step");
      average_step_cuda(launch, segments.data(), segments.size(), floats(average), decay, gain, floats(next));
      OP_REQUIRES_OK(ctx, launch.status());
    }
  }
};

// Tensors that share the vector's memory, on either device.
class ParameterViewsOp : public OpKernel {
 public:
  explicit ParameterViewsOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    std::vector<int64_t> numbers;
    OP_REQUIRES_OK(ctx, ctx->GetAttr("shapes", &numbers));
    for (size_t at = 0; at < numbers.size();) {
      const size_t rank = numbers[at++];
      OP_REQUIRES(ctx, rank <= numbers.size() - at,
                  InvalidArgument("YoloxParameterViews: expected shapes as rank, dimensions, …, received a rank of ",
                                  rank, " with ", numbers.size() - at, " numbers after it"));
      TensorShape shape;
      OP_REQUIRES_OK(ctx, tensorflow::TensorShapeUtils::MakeShape(&numbers[at], rank, &shape));
      shapes_.push_back(shape);
      size_ += flat_size(shape.num_elements());
      at += rank;
    }
    int count;
    OP_REQUIRES_OK(ctx, ctx->GetAttr("N", &count));
    OP_REQUIRES(ctx, static_cast<int>(shapes_.size()) == count,
                InvalidArgument("YoloxParameterViews: expected ", count, " shapes, received ", shapes_.size()));
  }

  void Compute(OpKernelContext* ctx) override {
    const Tensor& vector = ctx->input(0);
    OP_REQUIRES(ctx, vector.dims() == 1 && vector.NumElements() == size_,
                shape_error("YoloxParameterViews", "vector", "[" + std::to_string(size_) + "]", vector));
    int64_t offset = 0;
    for (size_t i = 0; i < shapes_.size(); ++i) {
      const int64_t size = shapes_[i].num_elements();
      Tensor view;
      OP_REQUIRES(ctx, view.CopyFrom(vector.Slice(offset, offset + size), shapes_[i]),
                  tensorflow::errors::Internal("YoloxParameterViews: no view of shape ", shapes_[i].DebugString()));
      ctx->set_output(i, view);
      offset += flat_size(size);
    }
  }

 private:
  std::vector<TensorShape> shapes_;
  int64_t size_ = 0;
};

REGISTER_OP("YoloxOptimizerStep")
    .Input("parameters: float")
    .Input("moments: M * float")
    .Input("average: E * float")
    .Input("gradients: N * float")
    .Input("scalars: int32")
    .Output("next_parameters: float")
    .Output("next_moments: M * float")
    .Output("next_average: E * float")
    .Output("applied: float")
    .Attr("M: int >= 1")
    .Attr("E: int >= 0")
    .Attr("N: int >= 1")
    .Attr("kind: {'sgd', 'adam'}")
    .Attr("nesterov: bool")
    .Attr("first_decay: float")
    .Attr("first_gain: float")
    .Attr("second_decay: float")
    .Attr("second_gain: float")
    .Attr("epsilon: float")
    .Attr("weight_decay: float")
    .Attr("clip_norm: float")
    .Attr("decayed: list(int)");

REGISTER_OP("YoloxAverageStep")
    .Input("average: float")
    .Input("values: N * float")
    .Input("scalars: int32")
    .Output("next: float")
    .Attr("N: int >= 1");

REGISTER_OP("YoloxParameterViews")
    .Input("vector: float")
    .Output("views: N * float")
    .Attr("N: int >= 1")
    .Attr("shapes: list(int)");

REGISTER_KERNEL_BUILDER(Name("YoloxOptimizerStep").Device(DEVICE_CPU), OptimizerStepOp<Device::kCpu>);
REGISTER_KERNEL_BUILDER(Name("YoloxOptimizerStep").Device(DEVICE_GPU).HostMemory("scalars"),
                        OptimizerStepOp<Device::kGpu>);
REGISTER_KERNEL_BUILDER(Name("YoloxAverageStep").Device(DEVICE_CPU), AverageStepOp<Device::kCpu>);
REGISTER_KERNEL_BUILDER(Name("YoloxAverageStep").Device(DEVICE_GPU).HostMemory("scalars"), AverageStepOp<Device::kGpu>);
REGISTER_KERNEL_BUILDER(Name("YoloxParameterViews").Device(DEVICE_CPU), ParameterViewsOp);
REGISTER_KERNEL_BUILDER(Name("YoloxParameterViews").Device(DEVICE_GPU), ParameterViewsOp);

}  // namespace
}  // namespace yolox
