// An image cut into 4×4 tiles of outputs, and the way of tiles into and out of the transformed domain.
#pragma once

#include <algorithm>

#include "conv2d/winograd_transform.h"

namespace yolox {

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

struct Tiles {
  int64_t batch, height, width;

  int64_t down() const { return ceil_div(height, kTile); }
  int64_t across() const { return ceil_div(width, kTile); }
  int64_t count() const { return batch * down() * across(); }
};

// Transformed tiles [groups, 36, channels / kLanes, group, kLanes]: a few tiles together, so that one transform writes
// to few memory pages. The 36 matrices of a group are padded out of one another's cache sets.
template <typename T>
struct Points {
  T* data;
  int64_t channels, group;

  int64_t channel_stride() const { return group * kLanes; }
  int64_t position_stride() const { return group * channels + 2 * kLanes; }
  int64_t group_stride() const { return kPositions * position_stride(); }
  T* at(int64_t tile) const { return data + tile / group * group_stride() + tile % group * kLanes; }
  static int64_t floats(int64_t tiles, int64_t channels, int64_t group) {
    return ceil_div(tiles, group) * Points{nullptr, channels, group}.group_stride();
  }
};

// Pixels of a tile that lie in the image: rows and columns [begin, end) of its kSide × kSide.
struct Extent {
  int64_t row_begin, row_end, column_begin, column_end;
};

// A tile's pixels, `margin` around its outputs included.
template <int64_t kSide, int64_t kMargin, typename T>
struct TilePixels {
  T* data;  // of its first pixel, which may lie outside of the image
  int64_t row_stride, column_stride;
  Extent extent;

  TilePixels(const Tiles& tiles, int64_t channels, T* image, int64_t tile)
      : row_stride(tiles.width * channels), column_stride(channels) {
    const int64_t per_image = tiles.down() * tiles.across(), within = tile % per_image;
    const int64_t top = within / tiles.across() * kTile - kMargin, left = within % tiles.across() * kTile - kMargin;
    data = image + (tile / per_image * tiles.height + top) * row_stride + left * column_stride;
    extent = {std::max<int64_t>(0, -top), std::min(kSide, tiles.height - top), std::max<int64_t>(0, -left),
              std::min(kSide, tiles.width - left)};
  }

  bool inside() const {
    return extent.row_begin == 0 && extent.row_end == kSide && extent.column_begin == 0 && extent.column_end == kSide;
  }

  // Calls body(pixel in image, index in the tile) for each pixel in the image.
  template <typename Body>
  void each(const Body& body) const {
    for (int64_t row = extent.row_begin; row < extent.row_end; ++row) {
      for (int64_t column = extent.column_begin; column < extent.column_end; ++column) {
        body(data + row * row_stride + column * column_stride, row * kSide + column);
      }
    }
  }
};

// Points of `count` tiles of image [batch, height, width, channels], the first of which is `first`, to points `at`…
// kMargin: how far a tile's inputs reach out beyond its outputs; 1 for Bᵀ, 0 for A.
template <typename Transform, int64_t kMargin>
void tiles_to_points(const Tiles& tiles, const float* image, int64_t first, int64_t count, const Points<float>& points,
                     int64_t at) {
  constexpr int64_t kSide = Transform::kFrom;
  const int64_t position_stride = points.position_stride();
  for (int64_t tile = 0; tile < count; ++tile) {
    const TilePixels<kSide, kMargin, const float> pixels(tiles, points.channels, image, first + tile);
    Grid<float> to{points.at(at + tile), kPoints * position_stride, position_stride};
    if (pixels.inside()) {
      Grid<const float> from{pixels.data, pixels.row_stride, pixels.column_stride};
      for (int64_t channel = 0; channel < points.channels; channel += kLanes) {
        transform<Transform>(from, to);
        from.data += kLanes;
        to.data += points.channel_stride();
      }
    } else {
      float patch[kSide * kSide * kLanes] = {};
      for (int64_t channel = 0; channel < points.channels; channel += kLanes) {
        pixels.each([&](const float* pixel, int64_t i) { store(patch + i * kLanes, load(pixel + channel)); });
        transform<Transform>({patch, kSide * kLanes, kLanes}, to);
        to.data += points.channel_stride();
      }
    }
  }
}

// The way back to image: outputs of the first `count` points as tiles `first`…
inline void points_to_tiles(const Tiles& tiles, const Points<float>& points, int64_t first, int64_t count,
                            float* image) {
  const int64_t position_stride = points.position_stride();
  for (int64_t tile = 0; tile < count; ++tile) {
    const TilePixels<kTile, 0, float> pixels(tiles, points.channels, image, first + tile);
    Grid<const float> from{points.at(tile), kPoints * position_stride, position_stride};
    if (pixels.inside()) {
      Grid<float> to{pixels.data, pixels.row_stride, pixels.column_stride};
      for (int64_t channel = 0; channel < points.channels; channel += kLanes) {
        transform<OutputTransform>(from, to);
        from.data += points.channel_stride();
        to.data += kLanes;
      }
    } else {
      float patch[kTile * kTile * kLanes];
      for (int64_t channel = 0; channel < points.channels; channel += kLanes) {
        transform<OutputTransform>(from, {patch, kTile * kLanes, kLanes});
        pixels.each([&](float* pixel, int64_t i) { store(pixel + channel, load(patch + i * kLanes)); });
        from.data += points.channel_stride();
      }
    }
  }
}

}  // namespace yolox
