// The prediction grid of an input: one anchor a cell, levels in order of their strides, row-major within a level.
#pragma once

#include "native/host_device.h"

namespace yolox {

constexpr int kMaxLevels = 8;

struct AnchorLevel {
  int first;  // index of its first anchor
  int columns, rows;
  float stride;  // pixels
};

struct AnchorGrid {
  int count;
  int levels;
  AnchorLevel level[kMaxLevels];
};

// Column and row in the level's grid.
struct Anchor {
  float x, y, stride;
};

YOLOX_HOST_DEVICE inline Anchor anchor_at(const AnchorGrid& grid, int index) {
  int k = 0;
  while (k + 1 < grid.levels && index >= grid.level[k + 1].first) k++;
  const AnchorLevel& level = grid.level[k];
  const int cell = index - level.first;
  return {static_cast<float>(cell % level.columns), static_cast<float>(cell / level.columns), level.stride};
}

// Adds the grid of an input of height × width pixels at the next stride.
YOLOX_HOST_DEVICE inline void add_level(AnchorGrid* grid, int height, int width, int stride) {
  AnchorLevel& level = grid->level[grid->levels++];
  level = {grid->count, width / stride, height / stride, static_cast<float>(stride)};
  grid->count += level.columns * level.rows;
}

}  // namespace yolox
