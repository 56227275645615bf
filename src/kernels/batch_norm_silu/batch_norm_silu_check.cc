#include "batch_norm_silu/batch_norm_silu.h"
#include "native/check.h"

namespace yolox {
namespace {

constexpr float kEpsilon = 1e-3f;

struct Inputs {
  int64_t rows, channels;
  std::vector<float> z, dy, gamma, beta, mean, variance;

  Inputs(Checker& checker, int64_t rows, int64_t channels, float around)
      : rows(rows),
        channels(channels),
        z(checker.uniform(rows * channels, around - 1, around + 1)),
        dy(checker.uniform(rows * channels, -1, 1)),
        gamma(checker.uniform(channels, -2, 2)),
        beta(checker.uniform(channels, -1, 1)),
        mean(checker.uniform(channels, around - 1, around + 1)),
        variance(checker.uniform(channels, 0.1f, 2)) {}
};

struct Outputs {
  std::vector<float> y, mean, rstd, variance, dx, dgamma, dbeta;

  explicit Outputs(const Inputs& inputs)
      : y(inputs.z.size()),
        mean(inputs.channels),
        rstd(inputs.channels),
        variance(inputs.channels),
        dx(inputs.z.size()),
        dgamma(inputs.channels),
        dbeta(inputs.channels) {}
};

Outputs on_cpu(const ParallelFor& threads, const Inputs& in, bool training) {
  Outputs out(in);
  std::vector<float> scratch(batch_norm_silu_cpu_scratch(in.rows, in.channels));
  batch_norm_silu_cpu(threads, {in.rows, in.channels, training, kEpsilon, in.z.data(), in.gamma.data(), in.beta.data(),
                                in.mean.data(), in.variance.data(), out.y.data(), out.mean.data(), out.rstd.data(),
                                out.variance.data(), scratch.data()});
  batch_norm_silu_grad_cpu(
      threads, {in.rows, in.channels, training, in.dy.data(), in.z.data(), in.gamma.data(), in.beta.data(),
                out.mean.data(), out.rstd.data(), out.dx.data(), out.dgamma.data(), out.dbeta.data(), scratch.data()});
  return out;
}

// Both directions on the device, each to be run by itself.
struct OnDevice {
  BatchNormSilu forward;
  BatchNormSiluGrad grad;

  OnDevice(Checker& checker, const Inputs& in, bool training) {
    const int64_t rows = in.rows, channels = in.channels;
    const auto vector = [&] { return checker.device<float>(channels); };
    const float *z = checker.upload(in.z), *gamma = checker.upload(in.gamma), *beta = checker.upload(in.beta);
    float* scratch = checker.device<float>(batch_norm_silu_cuda_scratch(rows, channels));
    forward = {.rows = rows,
               .channels = channels,
               .training = training,
               .epsilon = kEpsilon,
               .z = z,
               .gamma = gamma,
               .beta = beta,
               .mean = checker.upload(in.mean),
               .variance = checker.upload(in.variance),
               .y = checker.device<float>(rows * channels),
               .saved_mean = vector(),
               .saved_rstd = vector(),
               .batch_variance = vector(),
               .scratch = scratch};
    grad = {.rows = rows,
            .channels = channels,
            .training = training,
            .dy = checker.upload(in.dy),
            .z = z,
            .gamma = gamma,
            .beta = beta,
            .saved_mean = forward.saved_mean,
            .saved_rstd = forward.saved_rstd,
            .dx = checker.device<float>(rows * channels),
            .dgamma = vector(),
            .dbeta = vector(),
            .scratch = scratch};
  }
};

void check_case(Checker& checker, int64_t rows, int64_t channels, float around, bool training) {
  const Inputs in(checker, rows, channels, around);
  const Outputs serial = on_cpu(serial_for, in, training), parallel = on_cpu(checker.parallel_for(), in, training);
  checker.expect_equal("y on threads", serial.y, parallel.y);
  checker.expect_equal("variance on threads", serial.variance, parallel.variance);
  checker.expect_equal("dx on threads", serial.dx, parallel.dx);
  checker.expect_equal("dgamma on threads", serial.dgamma, parallel.dgamma);
  checker.expect_equal("dbeta on threads", serial.dbeta, parallel.dbeta);
  if (!checker.has_device() || channels == 0) return;

  Launcher& launch = checker.launcher("batch_norm_silu");
  const OnDevice device(checker, in, training);
  batch_norm_silu_cuda(launch, device.forward);
  batch_norm_silu_grad_cuda(launch, device.grad);
  const auto expect = [&](const char* what, const std::vector<float>& values, const float* memory, double absolute) {
    checker.expect_near(what, values, checker.download(memory, values.size()), 1e-4, absolute);
  };
  // Where the mean is large its rounding errors, not those of the sums, part the two.
  const double error = 1e-5 * std::max(1.0f, around / 10);
  expect("y with CUDA", serial.y, device.forward.y, error);
  expect("mean with CUDA", serial.mean, device.forward.saved_mean, 1e-5);
  expect("rstd with CUDA", serial.rstd, device.forward.saved_rstd, 1e-5);
  expect("variance with CUDA", serial.variance, device.forward.batch_variance, 1e-5);
  expect("dx with CUDA", serial.dx, device.grad.dx, error * serial.rstd[0]);
  expect("dgamma with CUDA", serial.dgamma, device.grad.dgamma, error * std::max<int64_t>(1, rows / 10));
  expect("dbeta with CUDA", serial.dbeta, device.grad.dbeta, error * std::max<int64_t>(1, rows / 10));
}

}  // namespace

YOLOX_CHECK(batch_norm_silu) {
  const struct {
    int64_t rows, channels;
    float around;
  } cases[] = {{1, 1, 1},    {7, 3, 1},    {300, 17, 1},   {2048, 8, 1}, {513, 64, 1},
               {33, 516, 1}, {4, 1030, 1}, {700, 20, 100}, {0, 5, 0},    {3, 0, 0}};
  for (const auto& [rows, channels, around] : cases) {
    for (const bool training : {true, false}) check_case(checker, rows, channels, around, training);
  }
  if (!checker.has_device()) return;
  const Inputs in(checker, 4 * 104 * 104, 64, 1);
  const OnDevice device(checker, in, true);
  Launcher& launch = checker.launcher("batch_norm_silu");
  checker.time("batch norm and SiLU, 104² batch 4, 64 channels", 4.0 * 3 * in.z.size(),
               [&] { batch_norm_silu_cuda(launch, device.forward); });
  checker.time("batch norm and SiLU backward, 104² batch 4, 64 channels", 4.0 * 5 * in.z.size(),
               [&] { batch_norm_silu_grad_cuda(launch, device.grad); });
}

}  // namespace yolox
