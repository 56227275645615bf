// Convolutions as TensorFlow ops, for the CPU alone: on a GPU TensorFlow's own, on cuDNN, are the right ones.
#include <cmath>
#include <vector>

#include "conv2d/conv2d.h"
#include "native/op.h"

namespace yolox {
namespace {

using tensorflow::errors::InvalidArgument;

struct Options {
  int64_t stride;
  bool depthwise;

  explicit Options(OpKernelConstruction* ctx) {
    OP_REQUIRES_OK(ctx, ctx->GetAttr("stride", &stride));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("depthwise", &depthwise));
    OP_REQUIRES(ctx, stride >= 1, InvalidArgument("convolution: expected a stride of at least 1, received ", stride));
  }
};

// Shape of the convolution of x [N,H,W,I] by filter [k,k,I,O]; records an error and returns false where they don't fit.
bool shape_of(OpKernelContext* ctx, const char* op, const TensorShape& x, const Tensor& filter, const Options& options,
              Conv2dShape* shape) {
  const TensorShape& f = filter.shape();
  if (x.dims() != 4) {
    ctx->SetStatus(InvalidArgument(op, ": expected x of shape [N,H,W,C], received ", x.DebugString()));
    return false;
  }
  const int64_t channels = x.dim_size(3);
  const bool fits = f.dims() == 4 && f.dim_size(0) == f.dim_size(1) && f.dim_size(0) % 2 == 1 &&
                    f.dim_size(2) == channels && (!options.depthwise || f.dim_size(3) == 1);
  if (!fits) {
    const char* last = options.depthwise ? ",1]" : ",O]";
    ctx->SetStatus(shape_error(op, "filter", absl::StrCat("[k,k,", channels, last, " with an odd k"), filter));
    return false;
  }
  *shape = {x.dim_size(0),  x.dim_size(1),    x.dim_size(2),
            channels,       f.dim_size(0),    options.depthwise ? channels : f.dim_size(3),
            options.stride, options.depthwise};
  return true;
}

TensorShape output_shape(const Conv2dShape& s) {
  return TensorShape({s.batch, s.out_height(), s.out_width(), s.out_channels});
}

bool check_vector(OpKernelContext* ctx, const char* op, const char* name, const Tensor& vector, int64_t size) {
  if (vector.dims() == 1 && vector.dim_size(0) == size) return true;
  ctx->SetStatus(shape_error(op, name, absl::StrCat("[", size, "]"), vector));
  return false;
}

// Runs a pass with scratch memory from TensorFlow's allocator; exceptions become TensorFlow's errors.
template <typename Function>
void run(OpKernelContext* ctx, const char* op, Function pass) {
  std::vector<Tensor> held;
  const auto allocate = [&](int64_t count) {
    float* memory = scratch(ctx, &held.emplace_back(), count);
    if (!memory) throw std::bad_alloc();
    return memory;
  };
  try {
    pass(Workspace{parallel_for(), worker_count(), allocate});
  } catch (const std::bad_alloc&) {
    // TensorFlow's allocator has told the context, C++'s has not.
    if (ctx->status().ok()) ctx->SetStatus(tensorflow::errors::ResourceExhausted(op, ": out of memory"));
  } catch (const std::exception& error) {
    ctx->SetStatus(tensorflow::errors::Internal(op, ": oneDNN: ", error.what()));
  }
}

void clear(Tensor* tensor) { std::fill_n(floats(tensor), tensor->NumElements(), 0.f); }

class Conv2DOp : public OpKernel {
 public:
  explicit Conv2DOp(OpKernelConstruction* ctx) : OpKernel(ctx), options_(ctx) {}

  void Compute(OpKernelContext* ctx) override {
    const char* op = "YoloxConv2D";
    const Tensor &x = ctx->input(0), &filter = ctx->input(1);
    const Tensor* bias = ctx->num_inputs() > 2 ? &ctx->input(2) : nullptr;
    Conv2dShape shape;
    if (!shape_of(ctx, op, x.shape(), filter, options_, &shape)) return;
    if (bias && !check_vector(ctx, op, "bias", *bias, shape.out_channels)) return;
    Tensor* y = allocate_output(ctx, 0, output_shape(shape));
    if (!y || y->NumElements() == 0) return;
    run(ctx, op, [&](const Workspace& space) {
      conv2d_forward_cpu(space, shape, floats(x), floats(filter), bias ? floats(*bias) : nullptr, floats(y));
    });
  }

 private:
  Options options_;
};

class Conv2DBatchNormSiluOp : public OpKernel {
 public:
  explicit Conv2DBatchNormSiluOp(OpKernelConstruction* ctx) : OpKernel(ctx), options_(ctx) {
    OP_REQUIRES_OK(ctx, ctx->GetAttr("epsilon", &epsilon_));
  }

  void Compute(OpKernelContext* ctx) override {
    const char* op = "YoloxConv2DBatchNormSilu";
    const Tensor &x = ctx->input(0), &filter = ctx->input(1);
    Conv2dShape shape;
    if (!shape_of(ctx, op, x.shape(), filter, options_, &shape)) return;
    const char* names[] = {"gamma", "beta", "mean", "variance"};
    const float* statistics[4];
    for (int i = 0; i < 4; ++i) {
      if (!check_vector(ctx, op, names[i], ctx->input(2 + i), shape.out_channels)) return;
      statistics[i] = floats(ctx->input(2 + i));
    }
    Tensor* y = allocate_output(ctx, 0, output_shape(shape));
    if (!y || y->NumElements() == 0) return;
    const auto& [gamma, beta, mean, variance] = statistics;
    std::vector<float> scale(shape.out_channels), shift(shape.out_channels);
    for (int64_t c = 0; c < shape.out_channels; ++c) {
      scale[c] = gamma[c] / std::sqrt(variance[c] + epsilon_);
      shift[c] = beta[c] - mean[c] * scale[c];
    }
    run(ctx, op, [&](const Workspace& space) {
      conv2d_scale_shift_silu_cpu(space, shape, floats(x), floats(filter), scale.data(), shift.data(), floats(y));
    });
  }

 private:
  Options options_;
  float epsilon_;
};

class Conv2DInputGradOp : public OpKernel {
 public:
  explicit Conv2DInputGradOp(OpKernelConstruction* ctx) : OpKernel(ctx), options_(ctx) {
    OP_REQUIRES_OK(ctx, ctx->GetAttr("height", &height_));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("width", &width_));
  }

  void Compute(OpKernelContext* ctx) override {
    const char* op = "YoloxConv2DInputGrad";
    const Tensor &dy = ctx->input(0), &filter = ctx->input(1);
    OP_REQUIRES(ctx, dy.dims() == 4, shape_error(op, "dy", "[N,H,W,C]", dy));
    OP_REQUIRES(ctx, filter.dims() == 4, shape_error(op, "filter", "[k,k,I,O]", filter));
    const TensorShape x({dy.dim_size(0), height_, width_, filter.dim_size(2)});
    Conv2dShape shape;
    if (!shape_of(ctx, op, x, filter, options_, &shape)) return;
    OP_REQUIRES(ctx, dy.shape() == output_shape(shape), shape_error(op, "dy", output_shape(shape).DebugString(), dy));
    Tensor* dx = allocate_output(ctx, 0, x);
    if (!dx || dx->NumElements() == 0) return;
    if (dy.NumElements() == 0) return clear(dx);
    run(ctx, op,
        [&](const Workspace& space) { conv2d_input_grad_cpu(space, shape, floats(dy), floats(filter), floats(dx)); });
  }

 private:
  Options options_;
  int64_t height_, width_;
};

class Conv2DFilterGradOp : public OpKernel {
 public:
  explicit Conv2DFilterGradOp(OpKernelConstruction* ctx) : OpKernel(ctx), options_(ctx) {
    OP_REQUIRES_OK(ctx, ctx->GetAttr("kernel", &kernel_));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("bias", &bias_));
  }

  void Compute(OpKernelContext* ctx) override {
    const char* op = "YoloxConv2DFilterGrad";
    const Tensor &x = ctx->input(0), &dy = ctx->input(1);
    OP_REQUIRES(ctx, x.dims() == 4, shape_error(op, "x", "[N,H,W,C]", x));
    OP_REQUIRES(ctx, dy.dims() == 4, shape_error(op, "dy", "[N,H,W,C]", dy));
    const int64_t in = x.dim_size(3), out = options_.depthwise ? in : dy.dim_size(3);
    const Conv2dShape shape{x.dim_size(0), x.dim_size(1), x.dim_size(2),   in,
                            kernel_,       out,           options_.stride, options_.depthwise};
    OP_REQUIRES(ctx, dy.shape() == output_shape(shape), shape_error(op, "dy", output_shape(shape).DebugString(), dy));
    Tensor* dfilter = allocate_output(ctx, 0, TensorShape({kernel_, kernel_, in, options_.depthwise ? 1 : out}));
    Tensor* dbias = dfilter ? allocate_output(ctx, 1, TensorShape({bias_ ? out : 0})) : nullptr;
    if (!dbias) return;
    if (x.NumElements() == 0 || dy.NumElements() == 0) {
      clear(dfilter);
      return clear(dbias);
    }
    run(ctx, op, [&](const Workspace& space) {
      conv2d_filter_grad_cpu(space, shape, floats(x), floats(dy), floats(dfilter), bias_ ? floats(dbias) : nullptr);
    });
  }

 private:
  Options options_;
  int64_t kernel_;
  bool bias_;
};

}  // namespace

REGISTER_OP("YoloxConv2D")
    .Input("x: float")
    .Input("filter: float")
    .Input("bias: N * float")
    .Output("y: float")
    .Attr("N: int >= 0")
    .Attr("stride: int")
    .Attr("depthwise: bool");
REGISTER_OP("YoloxConv2DBatchNormSilu")
    .Input("x: float")
    .Input("filter: float")
    .Input("gamma: float")
    .Input("beta: float")
    .Input("mean: float")
    .Input("variance: float")
    .Attr("epsilon: float")
    .Output("y: float")
    .Attr("stride: int")
    .Attr("depthwise: bool");
REGISTER_OP("YoloxConv2DInputGrad")
    .Input("dy: float")
    .Input("filter: float")
    .Output("dx: float")
    .Attr("height: int")
    .Attr("width: int")
    .Attr("stride: int")
    .Attr("depthwise: bool");
REGISTER_OP("YoloxConv2DFilterGrad")
    .Input("x: float")
    .Input("dy: float")
    .Output("dfilter: float")
    .Output("dbias: float")
    .Attr("kernel: int")
    .Attr("bias: bool")
    .Attr("stride: int")
    .Attr("depthwise: bool");

REGISTER_KERNEL_BUILDER(Name("YoloxConv2D").Device(DEVICE_CPU), Conv2DOp);
REGISTER_KERNEL_BUILDER(Name("YoloxConv2DBatchNormSilu").Device(DEVICE_CPU), Conv2DBatchNormSiluOp);
REGISTER_KERNEL_BUILDER(Name("YoloxConv2DInputGrad").Device(DEVICE_CPU), Conv2DInputGradOp);
REGISTER_KERNEL_BUILDER(Name("YoloxConv2DFilterGrad").Device(DEVICE_CPU), Conv2DFilterGradOp);

}  // namespace yolox
