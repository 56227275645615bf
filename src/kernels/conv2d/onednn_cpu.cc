// Calls oneDNN with plain NHWC tensors and its own choice of filter layout. Primitives are made once per shape.
#include <map>
#include <memory>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <tuple>
#include <unordered_map>

#include "conv2d/onednn.h"

namespace yolox {
namespace {

using dnnl::memory;
using dnnl::prop_kind;

enum class Pass { kForward, kForwardSilu, kInputGrad, kFilterGrad };

dnnl::engine& engine() {
  static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

dnnl::stream& stream() {
  thread_local dnnl::stream in_order(engine());
  return in_order;
}

memory::desc describe(const memory::dims& dims, memory::format_tag tag) {
  return memory::desc(dims, memory::data_type::f32, tag);
}

memory at(const memory::desc& desc, const void* data) { return memory(desc, engine(), const_cast<void*>(data)); }

int64_t floats_of(const memory::desc& desc) { return (static_cast<int64_t>(desc.get_size()) + 3) / 4; }

// TensorFlow's filter in oneDNN's dimensions: [out, in, kernel, kernel], or [channels, 1, 1, kernel, kernel].
memory::desc filter_desc(const Conv2dShape& s) {
  const int64_t k = s.kernel, i = s.in_channels, o = s.out_channels;
  if (s.depthwise) return memory::desc({i, 1, 1, k, k}, memory::data_type::f32, memory::dims{1, 1, 1, k * i, i});
  return memory::desc({o, i, k, k}, memory::data_type::f32, memory::dims{1, o, k * i * o, i * o});
}

// One pass of one shape: the primitive, what its arguments look like, and the change of the filter's layout.
struct Convolution {
  memory::desc source, filter, bias, destination, scratchpad, user_filter;
  dnnl::primitive primitive;
  dnnl::reorder reorder;  // empty where the primitive takes the user's layout

  Convolution(const Conv2dShape& s, Pass pass, bool with_bias) : user_filter(filter_desc(s)) {
    const auto algorithm = dnnl::algorithm::convolution_direct;
    source = describe({s.batch, s.in_channels, s.height, s.width}, memory::format_tag::nhwc);
    destination = describe({s.batch, s.out_channels, s.out_height(), s.out_width()}, memory::format_tag::nhwc);
    if (with_bias) bias = describe({s.out_channels}, memory::format_tag::a);
    const memory::desc any = describe(user_filter.get_dims(), memory::format_tag::any);
    const memory::dims strides{s.stride, s.stride}, dilation{0, 0}, padding{s.padding(), s.padding()};
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (pass == Pass::kForwardSilu) {
      dnnl::post_ops silu;
      silu.append_eltwise(dnnl::algorithm::eltwise_swish, 1.f, 0.f);
      attr.set_post_ops(silu);
    }
    const auto kind = pass == Pass::kForwardSilu ? prop_kind::forward_inference : prop_kind::forward_training;
    const dnnl::convolution_forward::primitive_desc forward(engine(), kind, algorithm, source, any, bias, destination,
                                                            strides, dilation, padding, padding, attr);
    if (pass == Pass::kInputGrad) {
      const dnnl::convolution_backward_data::primitive_desc desc(engine(), algorithm, source, any, destination, strides,
                                                                 dilation, padding, padding, forward, attr);
      use(desc, desc.weights_desc());
      primitive = dnnl::convolution_backward_data(desc);
    } else if (pass == Pass::kFilterGrad) {
      const dnnl::convolution_backward_weights::primitive_desc desc(engine(), algorithm, source, any, bias, destination,
                                                                    strides, dilation, padding, padding, forward, attr);
      use(desc, desc.diff_weights_desc());
      primitive = dnnl::convolution_backward_weights(desc);
    } else {
      use(forward, forward.weights_desc());
      primitive = dnnl::convolution_forward(forward);
    }
    if (filter == user_filter) return;
    const bool back = pass == Pass::kFilterGrad;
    reorder = dnnl::reorder({engine(), back ? filter : user_filter, engine(), back ? user_filter : filter});
  }

  // Runs the pass on memory by argument number; the filter is written for kFilterGrad and read otherwise.
  void run(std::unordered_map<int, memory> arguments, int filter_argument, const float* user_data,
           const Workspace& space) const {
    // Whole cache lines, so that the second part starts on one.
    const int64_t reordered = reorder ? (floats_of(filter) + 15) / 16 * 16 : 0, rest = floats_of(scratchpad);
    float* scratch = reordered + rest > 0 ? space.scratch(reordered + rest) : nullptr;
    memory user = at(user_filter, user_data), own = reorder ? at(filter, scratch) : user;
    const bool back = filter_argument == DNNL_ARG_DIFF_WEIGHTS;
    if (reorder && !back) reorder.execute(stream(), user, own);
    arguments.emplace(filter_argument, own);
    arguments.emplace(DNNL_ARG_SCRATCHPAD, at(scratchpad, scratch + reordered));
    primitive.execute(stream(), arguments);
    if (reorder && back) reorder.execute(stream(), own, user);
    stream().wait();
  }

 private:
  template <typename Desc>
  void use(const Desc& desc, const memory::desc& chosen) {
    filter = chosen;
    scratchpad = desc.scratchpad_desc();
  }
};

// Convolutions kept at most: those of ten sizes of images, as multi-scale training has them, with room to spare.
constexpr size_t kMostConvolutions = 4096;

std::shared_ptr<const Convolution> convolution(const Conv2dShape& s, Pass pass, bool with_bias) {
  using Key = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, bool, Pass, bool>;
  static std::mutex mutex;
  static std::map<Key, std::shared_ptr<const Convolution>> made;
  const Key key{s.batch,        s.height, s.width,     s.in_channels, s.kernel,
                s.out_channels, s.stride, s.depthwise, pass,          with_bias};
  std::lock_guard<std::mutex> lock(mutex);
  if (made.size() > kMostConvolutions) made.clear();
  auto& entry = made[key];
  if (!entry) entry = std::make_shared<const Convolution>(s, pass, with_bias);
  return entry;
}

}  // namespace

void onednn_forward(const Workspace& space, const Conv2dShape& shape, const float* x, const float* filter,
                    const float* bias, float* y) {
  const auto c = convolution(shape, Pass::kForward, bias != nullptr);
  std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, at(c->source, x)}, {DNNL_ARG_DST, at(c->destination, y)}};
  if (bias) arguments.emplace(DNNL_ARG_BIAS, at(c->bias, bias));
  c->run(std::move(arguments), DNNL_ARG_WEIGHTS, filter, space);
}

void onednn_forward_silu(const Workspace& space, const Conv2dShape& shape, const float* x, const float* filter,
                         const float* bias, float* y) {
  const auto c = convolution(shape, Pass::kForwardSilu, true);
  c->run({{DNNL_ARG_SRC, at(c->source, x)}, {DNNL_ARG_BIAS, at(c->bias, bias)}, {DNNL_ARG_DST, at(c->destination, y)}},
         DNNL_ARG_WEIGHTS, filter, space);
}

void onednn_input_grad(const Workspace& space, const Conv2dShape& shape, const float* dy, const float* filter,
                       float* dx) {
  const auto c = convolution(shape, Pass::kInputGrad, false);
  c->run({{DNNL_ARG_DIFF_DST, at(c->destination, dy)}, {DNNL_ARG_DIFF_SRC, at(c->source, dx)}}, DNNL_ARG_WEIGHTS,
         filter, space);
}

void onednn_filter_grad(const Workspace& space, const Conv2dShape& shape, const float* x, const float* dy,
                        float* dfilter, float* dbias) {
  const auto c = convolution(shape, Pass::kFilterGrad, dbias != nullptr);
  std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, at(c->source, x)},
                                            {DNNL_ARG_DIFF_DST, at(c->destination, dy)}};
  if (dbias) arguments.emplace(DNNL_ARG_DIFF_BIAS, at(c->bias, dbias));
  c->run(std::move(arguments), DNNL_ARG_DIFF_WEIGHTS, dfilter, space);
}

}  // namespace yolox
