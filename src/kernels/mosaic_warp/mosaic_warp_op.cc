// MosaicWarp as a TensorFlow op.
#include "mosaic_warp/mosaic_warp.h"
#include "native/cuda_launcher.h"
#include "native/op.h"

namespace yolox {
namespace {

using namespace mosaic;
using tensorflow::errors::InvalidArgument;

constexpr char kOp[] = "YoloxMosaicWarp";

// Fails where a recipe counts more than it can hold or shows a picture that is not there. On a GPU only the kernels
// can see the recipes: they draw NaN instead.
absl::Status check_recipes(const Album& album, const Recipe* recipes, int64_t count) {
  for (int64_t n = 0; n < count; ++n) {
    const Recipe& recipe = recipes[n];
    if (recipe.layers != 1 && recipe.layers != 2) {
      return InvalidArgument(kOp, ": expected 1 or 2 layers, received ", recipe.layers, " in recipe ", n);
    }
    for (int l = 0; l < recipe.layers; ++l) {
      const Layer& layer = recipe.layer[l];
      if (!(layer.tiles >= 0 && layer.tiles <= kMaxTiles)) {
        return InvalidArgument(kOp, ": expected 0 to ", kMaxTiles, " tiles, received ", layer.tiles, " in recipe ", n);
      }
      for (int t = 0; t < layer.tiles; ++t) {
        const float picture = layer.tile[t].picture;
        if (has_picture(album, picture)) continue;
        return InvalidArgument(kOp, ": expected one of ", album.count, " pictures lying within ", album.bytes,
                               " bytes, received ", picture, " in recipe ", n);
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
    const Tensor &pixels = ctx->input(0), &pictures = ctx->input(1), &recipes = ctx->input(2);
    OP_REQUIRES(ctx, pixels.dims() == 1, shape_error(kOp, "pixels", "[bytes]", pixels));
    OP_REQUIRES(ctx, has_rows_of(pictures, kPictureFloats),
                shape_error(kOp, "pictures", absl::StrCat("[P,", kPictureFloats, "]"), pictures));
    OP_REQUIRES(ctx, has_rows_of(recipes, kRecipeFloats),
                shape_error(kOp, "recipes", absl::StrCat("[N,", kRecipeFloats, "]"), recipes));
    const Album album{reinterpret_cast<const uint8_t*>(pixels.flat<bool>().data()), pixels.NumElements(),
                      reinterpret_cast<const Picture*>(floats(pictures)), pictures.dim_size(0)};
    const auto* list = reinterpret_cast<const Recipe*>(floats(recipes));
    const Output shape{recipes.dim_size(0), height_, width_};
    Tensor* images = allocate_output(ctx, 0, TensorShape({shape.images, height_, width_, 3}));
    if (!images || images->NumElements() == 0) return;
    if constexpr (device == Device::kGpu) {
      CudaLauncher launch(ctx, "mosaic_warp");
      mosaic_warp_cuda(launch, album, list, norm_, shape, floats(images));
      ctx->SetStatus(launch.status());
    } else {
      OP_REQUIRES_OK(ctx, check_recipes(album, list, shape.images));
      mosaic_warp_cpu(parallel_for(), album, list, norm_, shape, floats(images));
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

// pixels: bytes (a bool each, since tfjs has no byte), RGB pictures from multiples of 256 on, 8 bytes or more after
// each. pictures: offset / 256, height, width. recipes: see mosaic::Recipe. images: (level · gain − shift), NHWC.
REGISTER_OP("YoloxMosaicWarp")
    .Input("pixels: bool")
    .Input("pictures: float")
    .Input("recipes: float")
    .Output("images: float")
    .Attr("height: int")
    .Attr("width: int")
    .Attr("bgr: bool")
    .Attr("gain: list(float)")
    .Attr("shift: list(float)");

REGISTER_KERNEL_BUILDER(Name("YoloxMosaicWarp").Device(DEVICE_CPU), MosaicWarpOp<Device::kCpu>);
REGISTER_KERNEL_BUILDER(Name("YoloxMosaicWarp").Device(DEVICE_GPU), MosaicWarpOp<Device::kGpu>);

}  // namespace yolox
