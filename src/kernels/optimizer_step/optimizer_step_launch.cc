// The order of launches: kSegmentsPerLaunch tensors at a time, their addresses among the kernel's arguments.
#include <algorithm>

#include "optimizer_step/optimizer_step.h"

namespace yolox {
namespace {

constexpr Dim kBlock{kStepThreads};
// Blocks of the kernel that takes a step back; enough to fill a card.
constexpr unsigned kFinishBlocks = 1024;

// Calls body(chunk, blocks) for every chunk of tensors.
template <typename Body>
void for_chunks(const Segment* segments, int64_t count, const Body& body) {
  for (int64_t first = 0; first < count; first += kSegmentsPerLaunch) {
    SegmentChunk chunk{};
    chunk.count = static_cast<int>(std::min<int64_t>(kSegmentsPerLaunch, count - first));
    std::copy_n(segments + first, chunk.count, chunk.segments);
    chunk.begin = chunk.segments[0].offset;
    chunk.end = chunk.segments[chunk.count - 1].end();
    if (chunk.end > chunk.begin) body(chunk, blocks_for(chunk.end - chunk.begin, kFloatsPerBlock));
  }
}

}  // namespace

void optimizer_step_cuda(Launcher& launch, const Segment* segments, int64_t count, int64_t size,
                         const StepBuffers& buffers, const StepRule& rule, double* scratch, float* applied) {
  auto* wrong = reinterpret_cast<unsigned*>(scratch);
  float* scale = reinterpret_cast<float*>(scratch) + 1;
  double* partial = scratch + 1;
  launch.zero(wrong, sizeof(unsigned));
  if (rule.clip_norm > 0) {
    int sums = 0;
    for_chunks(segments, count, [&](const SegmentChunk& chunk, unsigned blocks) {
      launch("gradient_square_sum", {blocks}, kBlock, 0, chunk, partial + sums);
      sums += static_cast<int>(blocks);
    });
    launch("gradient_clip", {1}, kBlock, 0, static_cast<const double*>(partial), sums, rule, scale);
  }
  const float* factor = rule.clip_norm > 0 ? scale : nullptr;
  for_chunks(segments, count, [&](const SegmentChunk& chunk, unsigned blocks) {
    launch("optimizer_update", {blocks}, kBlock, 0, chunk, buffers, rule, factor, wrong);
  });
  launch("optimizer_finish", {std::min(kFinishBlocks, std::max(1u, blocks_for(size, kFloatsPerBlock)))}, kBlock, 0,
         buffers, size, static_cast<const unsigned*>(wrong), applied);
}

void average_step_cuda(Launcher& launch, const Segment* segments, int64_t count, const float* average, float decay,
                       float gain, float* next) {
  for_chunks(segments, count, [&](const SegmentChunk& chunk, unsigned blocks) {
    launch("average_step", {blocks}, kBlock, 0, chunk, average, decay, gain, next);
  });
}

}  // namespace yolox
