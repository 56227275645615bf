// The anchors of an op, from its attributes.
#pragma once

#include <vector>

#include "native/anchors.h"
#include "native/op.h"

// Attributes of ops on raw head outputs: the input's size in pixels and the strides of its levels.
#define YOLOX_ANCHOR_ATTRS Attr("height: int").Attr("width: int").Attr("strides: list(int)")

namespace yolox {

// Both sides must be multiples of every stride.
inline absl::Status read_anchors(const char* op, OpKernelConstruction* ctx, AnchorGrid* grid) {
  int height, width;
  std::vector<int> strides;
  TF_RETURN_IF_ERROR(ctx->GetAttr("height", &height));
  TF_RETURN_IF_ERROR(ctx->GetAttr("width", &width));
  TF_RETURN_IF_ERROR(ctx->GetAttr("strides", &strides));
  if (strides.empty() || strides.size() > kMaxLevels) {
    return tensorflow::errors::InvalidArgument(op, ": expected strides of 1 to ", kMaxLevels, " levels, received ",
                                               strides.size());
  }
  *grid = {};
  for (int stride : strides) {
    if (stride < 1 || height < 0 || width < 0 || height % stride != 0 || width % stride != 0) {
      return tensorflow::errors::InvalidArgument(op, ": expected an input of multiples of the stride ", stride,
                                                 ", received ", height, " x ", width);
    }
    add_level(grid, height, width, stride);
  }
  return absl::OkStatus();
}

// raw must be [N,A,5+C] with the grid's A, labels [N,M,5].
inline absl::Status check_head(const char* op, const AnchorGrid& grid, const Tensor& raw, const Tensor& labels) {
  if (raw.dims() != 3 || raw.dim_size(1) != grid.count || raw.dim_size(2) < 5) {
    return shape_error(op, "raw", absl::StrCat("[N,", grid.count, ",5+C]"), raw);
  }
  if (labels.dims() != 3 || labels.dim_size(0) != raw.dim_size(0) || labels.dim_size(2) != 5) {
    return shape_error(op, "labels", absl::StrCat("[", raw.dim_size(0), ",M,5]"), labels);
  }
  return absl::OkStatus();
}

}  // namespace yolox
