// Draws training images from plans: every output pixel is mapped back through an affine onto a canvas of tiles and
// sampled bilinearly from the byte image it falls in; a second layer is averaged in; colours are shifted; the result
// is normalised. src/kernels/mosaic_warp/reference.ts says the same in plain TypeScript.
#pragma once

#include "native/host_device.h"

namespace yolox {

// Numbers are laid out as src/kernels/mosaic_warp/pack.ts packs them, all of them floats.
namespace mosaic {

constexpr int kMaxLayers = 2;
constexpr int kMaxTiles = 4;
// Images begin at multiples of this many bytes, so that a float holds where.
constexpr int64_t kAlignment = 256;
// Bytes that must follow an image: two neighbouring pixels are read in words of four bytes.
constexpr int64_t kSlack = 8;

struct Image {
  float offset;  // in units of kAlignment bytes
  float height, width;
};

struct Tile {
  float image;
  float left, top, right, bottom;
  float x, y, width, height;
};

struct Layer {
  float tiles;
  float width, height, pad, outside;
  float inverse[6];
  Tile tile[kMaxTiles];
};

struct WarpPlan {
  float layers;
  float hsv[3];
  Layer layer[kMaxLayers];
};

constexpr int64_t kPlanFloats = sizeof(WarpPlan) / sizeof(float);
constexpr int64_t kImageFloats = sizeof(Image) / sizeof(float);
static_assert(kPlanFloats == 98 && kImageFloats == 3, "as in pack.ts");

// All images of a batch.
struct ImageBatch {
  const uint8_t* pixels;
  int64_t bytes;
  const Image* images;
  int64_t count;
};

// Output value = grey level · gain − shift, in the output's channel order.
struct Normalisation {
  bool bgr;
  float gain[3], shift[3];
};

struct Output {
  int64_t images, height, width;
};

// A row is drawn in spans of this many pixels: positions are computed in double precision at the beginning of each and
// in single precision within.
constexpr int kSpan = 256;

// float32 and float64 see a half differently; a bias far above their error and far below a grey level settles it.
constexpr float kHalf = 0.5f + 1.f / 1024;

YOLOX_HOST_DEVICE inline float round_level(float level) { return floorf(level + kHalf); }

// A float as an index in [0, limit]; NaN becomes 0.
YOLOX_HOST_DEVICE inline int bounded(float value, int limit) {
  return value >= limit ? limit : value > 0 ? static_cast<int>(value) : 0;
}

YOLOX_HOST_DEVICE inline int bounded(double value, int limit) {
  return value >= limit ? limit : value > 0 ? static_cast<int>(value) : 0;
}

// Whether an batch has image `index` with all its bytes.
YOLOX_HOST_DEVICE inline bool has_image(const ImageBatch& batch, float index) {
  if (!(index >= 0 && index < static_cast<float>(batch.count))) return false;
  const Image& image = batch.images[static_cast<int64_t>(index)];
  if (!(image.offset >= 0 && image.height >= 1 && image.width >= 1)) return false;
  // Positions inside an image are 32-bit; float32 holds no larger whole offset.
  if (image.offset > (1 << 24) || 3.0 * image.height * image.width > 0x7fffffff) return false;
  const int64_t size = 3 * static_cast<int64_t>(image.height) * static_cast<int64_t>(image.width);
  return static_cast<int64_t>(image.offset) * kAlignment + size + kSlack <= batch.bytes;
}

// Pixels [begin, end) of a span.
struct Range {
  int begin, end;
};

// The steps i in [0, count) at which low ≤ start + i·step < high; `per_step` is 1 / step.
YOLOX_HOST_DEVICE inline Range steps_within(double start, double per_step, double low, double high, int count) {
  const double to_low = (low - start) * per_step, to_high = (high - start) * per_step;
  if (per_step > 0) return {bounded(ceil(to_low), count), bounded(ceil(to_high), count)};
  return {bounded(floor(to_high) + 1, count), bounded(floor(to_low) + 1, count)};
}

YOLOX_HOST_DEVICE inline Range intersect(Range a, Range b) {
  const Range both{a.begin > b.begin ? a.begin : b.begin, a.end < b.end ? a.end : b.end};
  return both.begin < both.end ? both : Range{0, 0};
}

// A straight line over a canvas: positions at the centre of a span's first pixel, and from pixel to pixel.
struct Line {
  double x, y, dx, dy, per_dx, per_dy;

  YOLOX_HOST_DEVICE Range within(double left, double top, double right, double bottom, int count) const {
    return intersect(steps_within(x, per_dx, left, right, count), steps_within(y, per_dy, top, bottom, count));
  }
};

YOLOX_HOST_DEVICE inline Line canvas_line(const Layer& layer, int64_t row, int64_t column) {
  const double px = column + 0.5, py = row + 0.5;
  const double a = layer.inverse[0], b = layer.inverse[1], c = layer.inverse[2];
  const double d = layer.inverse[3], e = layer.inverse[4], f = layer.inverse[5];
  // + 0.0, since a step of negative zero would swap the ends.
  return {a * px + b * py + c, d * px + e * py + f, a, d, 1 / (a + 0.0), 1 / (d + 0.0)};
}

// One coordinate of the sampling positions along a run: whole + start + i·step, cut to [0, last].
struct Axis {
  int whole, last;
  float start, step;

  // Sets the pixel below position i and returns the weight of the one after it.
  YOLOX_HOST_DEVICE float at(int i, int* pixel) const {
    const float low = static_cast<float>(-whole), high = static_cast<float>(last - whole);
    float position = start + static_cast<float>(i) * step;
    // NaN ends as `low`.
    position = position > low ? position : low;
    position = position < high ? position : high;
    const float below = floorf(position);
    *pixel = whole + static_cast<int>(below);
    return position - below;
  }
};

YOLOX_HOST_DEVICE inline Axis make_axis(double position, double step, float size) {
  const int last = static_cast<int>(size) - 1;
  const int whole = bounded(position, last);
  return {whole, last, static_cast<float>(position - whole), static_cast<float>(step)};
}

// The part of a span that shows one image.
struct Run {
  Range range;
  const uint8_t* data;  // null when the batch has no such image: NaN is drawn
  Axis x, y;
};

YOLOX_HOST_DEVICE inline Run make_run(const ImageBatch& batch, const Line& line, const Tile& tile, Range canvas,
                                       int count) {
  Run run{};
  run.range = intersect(canvas, line.within(tile.left, tile.top, tile.right, tile.bottom, count));
  if (run.range.begin == run.range.end || !has_image(batch, tile.image)) return run;
  const Image& image = batch.images[static_cast<int64_t>(tile.image)];
  const double zoom_x = image.width / static_cast<double>(tile.width);
  const double zoom_y = image.height / static_cast<double>(tile.height);
  run.data = batch.pixels + static_cast<int64_t>(image.offset) * kAlignment;
  run.x = make_axis((line.x - tile.x) * zoom_x - 0.5, line.dx * zoom_x, image.width);
  run.y = make_axis((line.y - tile.y) * zoom_y - 0.5, line.dy * zoom_y, image.height);
  return run;
}

struct Colour {
  float r, g, b;
};

// A first argument of NaN stays NaN.
YOLOX_HOST_DEVICE inline float smaller(float a, float b) { return b < a ? b : a; }
YOLOX_HOST_DEVICE inline float larger(float a, float b) { return b > a ? b : a; }
YOLOX_HOST_DEVICE inline float clip_level(float level) { return smaller(larger(level, 0.f), 255.f); }

YOLOX_HOST_DEVICE inline float clip_unit(float x) { return smaller(larger(x, 0.f), 1.f); }

// x in [0, 2·period) brought to [0, period).
YOLOX_HOST_DEVICE inline float wrap_once(float x, float period) { return x >= period ? x - period : x; }

YOLOX_HOST_DEVICE inline bool shifts_colours(const WarpPlan& plan) {
  return plan.hsv[0] != 0 || plan.hsv[1] != 0 || plan.hsv[2] != 0;
}

// A shift of hue, of which 180 is a full turn, brought to [0, 180).
YOLOX_HOST_DEVICE inline float whole_turn(float dh) { return dh - 180.f * floorf(dh / 180.f); }

// OpenCV's 8-bit HSV without its rounding in between; hue in [0, 180), shifted by `dh` in the same range.
YOLOX_HOST_DEVICE inline Colour shift_colour(Colour in, float dh, float ds, float dv) {
  const float max = larger(larger(in.r, in.g), in.b);
  const float chroma = max - smaller(smaller(in.r, in.g), in.b);
  const float per_chroma = 1.f / (chroma == 0.f ? 1.f : chroma);
  float sextant = max == in.r   ? (in.g - in.b) * per_chroma + 6.f
                  : max == in.g ? (in.b - in.r) * per_chroma + 2.f
                                : (in.r - in.g) * per_chroma + 4.f;
  sextant = wrap_once(wrap_once(sextant, 6.f) + dh * (1.f / 30), 6.f);
  const float saturation = clip_level(255.f * chroma / (max == 0.f ? 1.f : max) + ds);
  const float value = clip_level(max + dv);
  const float depth = value * saturation * (1.f / 255);
  const float red = wrap_once(sextant + 5.f, 6.f);
  const float green = wrap_once(sextant + 3.f, 6.f);
  const float blue = wrap_once(sextant + 1.f, 6.f);
  return {round_level(value - depth * clip_unit(smaller(red, 4.f - red))),
          round_level(value - depth * clip_unit(smaller(green, 4.f - green))),
          round_level(value - depth * clip_unit(smaller(blue, 4.f - blue)))};
}

}  // namespace mosaic
}  // namespace yolox

#if !defined(__CUDACC_RTC__)
#include "native/launcher.h"
#include "native/parallel.h"

namespace yolox {

// out: [images, height, width, 3]; plans: one per image.
void mosaic_warp_cpu(const ParallelFor& parallel_for, const mosaic::ImageBatch& batch, const mosaic::WarpPlan* plans,
                     const mosaic::Normalisation& norm, const mosaic::Output& shape, float* out);
void mosaic_warp_cuda(Launcher& launch, const mosaic::ImageBatch& batch, const mosaic::WarpPlan* plans,
                      const mosaic::Normalisation& norm, const mosaic::Output& shape, float* out);

}  // namespace yolox
#endif
