// MosaicWarp on random mosaics: any number of threads alike, and a card as the CPU to a grey level.
#include <algorithm>
#include <cmath>

#include "mosaic_warp/mosaic_warp.h"
#include "native/check.h"

namespace yolox {
namespace {

using namespace mosaic;

struct Case {
  Output shape;
  std::vector<uint8_t> pixels;
  std::vector<Image> images;
  std::vector<WarpPlan> plans;
  Normalisation norm{true, {1, 1, 1}, {0, 0, 0}};

  ImageBatch batch() const {
    return {pixels.data(), static_cast<int64_t>(pixels.size()), images.data(), static_cast<int64_t>(images.size())};
  }
};

int integer(Checker& checker, int low, int high) {
  return std::uniform_int_distribution<int>(low, high)(checker.random());
}

float real(Checker& checker, float low, float high) { return checker.uniform(1, low, high)[0]; }

void add_image(Checker& checker, Case& c, int height, int width) {
  c.images.push_back({static_cast<float>(c.pixels.size() / kAlignment), float(height), float(width)});
  const size_t bytes = 3 * size_t(height) * width, end = c.pixels.size() + bytes + kSlack;
  c.pixels.reserve(end + kAlignment);
  for (size_t i = 0; i < bytes; ++i) c.pixels.push_back(static_cast<uint8_t>(checker.random()()));
  c.pixels.resize((end + kAlignment - 1) / kAlignment * kAlignment);
}

// Up to four images that meet somewhere on a canvas twice the output, seen through a turn and a zoom.
Layer random_layer(Checker& checker, const Case& c) {
  const float width = 2.f * c.shape.width, height = 2.f * c.shape.height;
  Layer layer{};
  layer.tiles = static_cast<float>(integer(checker, 0, kMaxTiles));
  layer.width = width;
  layer.height = height;
  layer.pad = 114;
  layer.outside = 7;
  const float cx = real(checker, 0.2f, 0.8f) * width, cy = real(checker, 0.2f, 0.8f) * height;
  for (int t = 0; t < layer.tiles; ++t) {
    const int index = integer(checker, 0, static_cast<int>(c.images.size()) - 1);
    const float scale = real(checker, 0.3f, 3.f);
    const float w = c.images[index].width * scale, h = c.images[index].height * scale;
    const float x = t % 2 ? cx : cx - w, y = t < 2 ? cy - h : cy;
    layer.tile[t] = {
        float(index), std::max(x, 0.f), std::max(y, 0.f), std::min(x + w, width), std::min(y + h, height), x, y, w, h};
  }
  const float angle = real(checker, -3, 3), zoom = real(checker, 0.3f, 4);
  const float a = zoom * std::cos(angle), b = zoom * std::sin(angle);
  const float ox = c.shape.width / 2.f, oy = c.shape.height / 2.f;
  const float inverse[6] = {a, b, width / 2 - a * ox - b * oy, -b, a, height / 2 + b * ox - a * oy};
  std::copy(inverse, inverse + 6, layer.inverse);
  return layer;
}

Case random_case(Checker& checker, int images, int height, int width, int largest) {
  Case c;
  c.shape = {images, height, width};
  const int sources = integer(checker, 1, 5);
  for (int p = 0; p < sources; ++p)
    add_image(checker, c, integer(checker, 1, largest), integer(checker, 1, largest));
  for (int n = 0; n < images; ++n) {
    WarpPlan plan{};
    plan.layers = static_cast<float>(integer(checker, 1, kMaxLayers));
    if (n % 2)
      for (float& shift : plan.hsv) shift = static_cast<float>(integer(checker, -40, 40));
    for (int l = 0; l < plan.layers; ++l) plan.layer[l] = random_layer(checker, c);
    c.plans.push_back(plan);
  }
  return c;
}

std::vector<float> on_cpu(const Case& c, const ParallelFor& parallel_for) {
  std::vector<float> out(3 * c.shape.images * c.shape.height * c.shape.width, -1.f);
  mosaic_warp_cpu(parallel_for, c.batch(), c.plans.data(), c.norm, c.shape, out.data());
  return out;
}

struct DeviceCase {
  ImageBatch batch;
  WarpPlan* plans;
  float* out;
  size_t size;

  DeviceCase(Checker& checker, const Case& c)
      : batch{checker.upload(c.pixels), static_cast<int64_t>(c.pixels.size()), checker.upload(c.images),
              static_cast<int64_t>(c.images.size())},
        plans(checker.upload(c.plans)),
        size(3 * c.shape.images * c.shape.height * c.shape.width) {
    out = checker.device<float>(size);
  }
};

// Positions on the two sides differ by rounding, which moves a level by one where it lies at a half, and a pixel on the
// border of an image to its other side.
void expect_close(Checker& checker, const std::string& what, const std::vector<float>& a, const std::vector<float>& b) {
  size_t different = 0;
  for (size_t i = 0; i < a.size(); ++i)
    different += !(std::abs(a[i] - b[i]) < 1e-3f) && !(std::isnan(a[i]) && std::isnan(b[i]));
  checker.expect(what, different <= a.size() / 500);
}

void check_case(Checker& checker, const Case& c) {
  const auto expected = on_cpu(c, serial_for);
  checker.expect_equal("threads", expected, on_cpu(c, checker.parallel_for()));
  if (!checker.has_device()) return;
  const DeviceCase on_device(checker, c);
  mosaic_warp_cuda(checker.launcher("mosaic_warp"), on_device.batch, on_device.plans, c.norm, c.shape, on_device.out);
  expect_close(checker, "CUDA", expected, checker.download(on_device.out, on_device.size));
}

}  // namespace

YOLOX_CHECK(mosaic_warp) {
  check_case(checker, random_case(checker, 1, 1, 1, 1));
  check_case(checker, random_case(checker, 2, 3, 257, 9));
  for (int k = 0; k < 8; ++k) {
    check_case(checker,
               random_case(checker, integer(checker, 1, 3), integer(checker, 1, 40), integer(checker, 1, 300), 90));
  }

  // Bad numbers stay within memory: an image that is not there is NaN, an affine that is none draws something.
  Case broken = random_case(checker, 2, 20, 30, 20);
  broken.plans[0] = {1, {3, -4, 5}, {{1, 30, 20, 114, 114, {1, 0, 0, 0, 1, 0}, {{99, 0, 0, 30, 20, 0, 0, 30, 20}}}}};
  broken.plans[1].layer[0].inverse[0] = std::nanf("");
  broken.plans[1].layer[0].inverse[4] = 1e30f;
  check_case(checker, broken);
  const auto drawn = on_cpu(broken, serial_for);
  checker.expect("a missing image is NaN", std::all_of(drawn.begin(), drawn.begin() + 20 * 30 * 3,
                                                         [](float level) { return std::isnan(level); }));

  if (!checker.has_device()) return;
  const Case typical = random_case(checker, 4, 640, 640, 640);
  const DeviceCase on_device(checker, typical);
  Launcher& launcher = checker.launcher("mosaic_warp");
  checker.time("mosaic_warp 640² batch 4", static_cast<double>(typical.pixels.size() + 4 * on_device.size), [&] {
    mosaic_warp_cuda(launcher, on_device.batch, on_device.plans, typical.norm, typical.shape, on_device.out);
  });
}

}  // namespace yolox
