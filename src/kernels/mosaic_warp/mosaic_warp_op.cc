// MosaicWarp as a TensorFlow op.
#include "mosaic_warp/mosaic_warp.h"
#include "native/cuda_launcher.h"
#include "native/op.h"

namespace yolox {
namespace {

using namespace mosaic;
using tensorflow::errors::InvalidArgument;

constexpr char kOp[] = "YoloxMosaicWarp";

// Fails where a plan counts more than it can hold or shows an image that is not there. On a GPU only the kernels
// can see the plans: they draw NaN instead.
absl::Status check_plans(const ImageBatch& batch, const WarpPlan* plans, int64_t count) {
  for (int64_t n = 0; n < count; ++n) {
    const WarpPlan& plan = plans[n];
    if (plan.layers != 1 && plan.layers != 2) {
      return InvalidArgument(kOp, ": expected 1 or 2 layers, received ", plan.layers, " in plan ", n);
    }
    for (int l = 0; l < plan.layers; ++l) {
      const Layer& layer = plan.layer[l];
      if (!(layer.tiles >= 0 && layer.tiles <= kMaxTiles)) {
        return InvalidArgument(kOp, ": expected 0 to ", kMaxTiles, " tiles, received ", layer.tiles, " in plan ", n);
      }
      for (int t = 0; t < layer.tiles; ++t) {
        const float image = layer.tile[t].image;
        if (has_image(batch, image)) continue;
        return InvalidArgument(kOp, ": expected one of ", batch.count, " images lying within ", batch.bytes,
                               " bytes, received ", image, " in plan ", n);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status read_triple(OpKernelConstruction* ctx, const char* name, float (&triple)[3]) {
  std::vector<float> values;
  TF_RETURN_IF_ERROR(ctx->GetAttr(name, &values));
  if (values.size() != 3) {
    return InvalidArgument(kOp, ": expected 3 numbers in ", name, ", received ", values.size());
  }
  std::copy(values.begin(), values.end(), triple);
  return absl::OkStatus();
}

template <Device device>
class MosaicWarpOp : public OpKernel {
 public:
  explicit MosaicWarpOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    OP_REQUIRES_OK(ctx, ctx->GetAttr("height", &height_));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("width", &width_));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("bgr", &norm_.bgr));
    OP_REQUIRES_OK(ctx, read_triple(ctx, "gain", norm_.gain));
    OP_REQUIRES_OK(ctx, read_triple(ctx, "shift", norm_.shift));
    OP_REQUIRES(ctx, height_ >= 0 && width_ >= 0,
                InvalidArgument(kOp, ": expected a size of at least 0x0, received ", height_, "x", width_));
  }

  void Compute(OpKernelContext* ctx) override {
    const Tensor &pixels = ctx->input(0), &images = ctx->input(1), &plans = ctx->input(2);
    OP_REQUIRES(ctx, pixels.dims() == 1, shape_error(kOp, "pixels", "[bytes]", pixels));
    OP_REQUIRES(ctx, has_rows_of(images, kImageFloats),
                shape_error(kOp, "images", absl::StrCat("[P,", kImageFloats, "]"), images));
    OP_REQUIRES(ctx, has_rows_of(plans, kPlanFloats),
                shape_error(kOp, "plans", absl::StrCat("[N,", kPlanFloats, "]"), plans));
    const ImageBatch batch{reinterpret_cast<const uint8_t*>(pixels.flat<bool>().data()), pixels.NumElements(),
                      reinterpret_cast<const Image*>(floats(images)), images.dim_size(0)};
    const auto* list = reinterpret_cast<const WarpPlan*>(floats(plans));
    const Output shape{plans.dim_size(0), height_, width_};
    Tensor* drawn = allocate_output(ctx, 0, TensorShape({shape.images, height_, width_, 3}));
    if (!drawn || drawn->NumElements() == 0) return;
    if constexpr (device == Device::kGpu) {
      CudaLauncher launch(ctx, "mosaic_warp");
      mosaic_warp_cuda(launch, batch, list, norm_, shape, floats(drawn));
      ctx->SetStatus(launch.status());
    } else {
      OP_REQUIRES_OK(ctx, check_plans(batch, list, shape.images));
      mosaic_warp_cpu(parallel_for(), batch, list, norm_, shape, floats(drawn));
    }
  }

 private:
  static bool has_rows_of(const Tensor& tensor, int64_t size) {
    return tensor.dims() == 2 && tensor.dim_size(1) == size;
  }

  int64_t height_, width_;
  Normalisation norm_;
};

}  // namespace

// pixels: bytes (a bool each, since tfjs has no byte), RGB images from multiples of 256 on, 8 bytes or more after
// each. images: offset / 256, height, width. plans: see mosaic::WarpPlan. drawn: (level · gain − shift), NHWC.
REGISTER_OP("YoloxMosaicWarp")
    .Input("pixels: bool")
    .Input("images: float")
    .Input("plans: float")
    .Output("drawn: float")
    .Attr("height: int")
    .Attr("width: int")
    .Attr("bgr: bool")
    .Attr("gain: list(float)")
    .Attr("shift: list(float)");

REGISTER_KERNEL_BUILDER(Name("YoloxMosaicWarp").Device(DEVICE_CPU), MosaicWarpOp<Device::kCpu>);
REGISTER_KERNEL_BUILDER(Name("YoloxMosaicWarp").Device(DEVICE_GPU), MosaicWarpOp<Device::kGpu>);

}  // namespace yolox
