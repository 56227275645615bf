"""Training steps of YOLOX in PyTorch: the peer of the train-step benchmark, and a second opinion on golden data.

    python3 -m venv VENV && VENV/bin/pip install torch==2.13.0 numpy safetensors
    VENV/bin/python bench/peers/yolox_torch.py bench --variant s --size 416 --batch 4 --steps 10 --threads 2 --json
    VENV/bin/python bench/peers/yolox_torch.py golden DIR
    VENV/bin/python bench/peers/yolox_torch.py fixture DIR

`bench` times whole steps (forward, SimOTA, losses, backward, SGD, EMA) on random images and boxes and prints
{"seconds": [one a step], "images_per_second", "peak_rss_mb"}.

`golden` prints the largest deviation of everything in DIR and exits with 1 when one is beyond its bound. Four training
steps amplify a relative error of the weights about 5·10^7 times, so `train_*` agrees only where the arithmetic does bit
for bit. Data made on an AVX2 processor wants ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 and its number of threads.

`fixture` trains every `train_*` case of DIR in double precision and writes its losses, final weights and their average
beside it, as golden data has them (test/model/make_train_state.ts).
"""

import argparse
import copy
import json
import math
import resource
import statistics
import sys
import time
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from yolox_torch_model import Anchors, Losses, Yolox, decode, make_anchors, yolox_loss

# depth, width, depthwise
VARIANTS = {
    "nano": (0.33, 0.25, True),
    "tiny": (0.33, 0.375, False),
    "s": (0.33, 0.5, False),
    "m": (0.67, 0.75, False),
    "l": (1.0, 1.0, False),
    "x": (1.33, 1.25, False),
}
BOXES_PER_IMAGE = 8


class Trainer:
    """SGD with Nesterov momentum or Adam, decay on convolution weights only, and a moving average of everything."""

    def __init__(
        self,
        model: Yolox,
        lr: float,
        momentum: float = 0.9,
        decay: float = 5e-4,
        ema_decay: float = 0.9998,
        ema_ramp: float = 2000,
        adam: bool = False,
        frozen: bool = False,
    ):
        self.model = model.train()
        if frozen:
            model.backbone.backbone.eval().requires_grad_(False)
        self.average = copy.deepcopy(model).eval().requires_grad_(False)
        self.ema_decay, self.ema_ramp = ema_decay, ema_ramp
        self.step = 0
        learnt = [p for p in model.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in learnt if p.ndim != 4]},
            {"params": [p for p in learnt if p.ndim == 4], "weight_decay": decay},
        ]
        sgd = {"momentum": momentum, "nesterov": True}
        self.optimizer = torch.optim.Adam(groups, lr) if adam else torch.optim.SGD(groups, lr, **sgd)

    def update(self, images: Tensor, labels: Tensor, anchors: Anchors, use_l1: bool = False) -> Losses:
        losses, *_ = yolox_loss(self.model(images), labels, anchors, use_l1)
        self.optimizer.zero_grad()
        losses[0].backward()
        self.optimizer.step()
        self.step += 1
        rate = self.ema_decay * (1 - math.exp(-self.step / self.ema_ramp))
        with torch.no_grad():
            for old, new in zip(self.average.state_dict().values(), self.model.state_dict().values()):
                if old.is_floating_point():
                    old.mul_(rate).add_(new, alpha=1 - rate)
        return losses


def largest(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


def relative(losses: Tensor, expected: Tensor) -> float:
    return float(((losses - expected).abs() / expected.clamp(min=1e-6)).max())


def read_cases(folder: Path, pattern: str) -> list[tuple[Path, dict[str, str], dict[str, Tensor]]]:
    """Path, metadata and tensors of the files that match, sorted."""
    cases = []
    for path in sorted(folder.glob(f"{pattern}.safetensors")):
        with safe_open(path, "pt") as file:
            cases.append((path, file.metadata(), {key: file.get_tensor(key) for key in file.keys()}))
    return cases


def build(metadata: dict[str, str], weights: dict[str, Tensor]) -> Yolox:
    depthwise = metadata.get("depthwise") == "true"
    model = Yolox(float(metadata["depth"]), float(metadata["width"]), depthwise, int(metadata["num_classes"]))
    # Golden weights leave out the batch norms' counters.
    counters = {key: value for key, value in model.state_dict().items() if key.endswith("num_batches_tracked")}
    model.load_state_dict(counters | weights)
    return model


# Each check returns, by what was compared, the largest deviation and the allowed one.
Deviations = dict[str, tuple[float, float]]


@torch.no_grad()
def check_forward(path: Path, metadata: dict[str, str], tensors: dict[str, Tensor]) -> Deviations:
    images = tensors["input_nchw_bgr"]
    raw = build(metadata, load_file(str(path).replace(".io.", ".weights."))).eval()(images)
    raw[..., 4:].sigmoid_()
    decoded = torch.cat((decode(raw, make_anchors(*images.shape[2:])), raw[..., 4:]), 2)
    outputs = {"decoded": decoded, "undecoded": raw}
    return {name: (largest(output, tensors[f"output_{name}"]), 1e-3) for name, output in outputs.items()}


def check_assign(_: Path, metadata: dict[str, str], tensors: dict[str, Tensor]) -> Deviations:
    raw, gradient = tensors["raw"].requires_grad_(), tensors["grad_raw"]
    anchors = make_anchors(int(metadata["input_h"]), int(metadata["input_w"]))
    losses, matched, iou = yolox_loss(raw, tensors["labels"], anchors, metadata["use_l1"] == "true")
    losses[0].backward()
    expected = torch.tensor([float(metadata[f"loss_{name}"]) for name in ("total", "iou_x5", "obj", "cls", "l1")])
    return {
        "anchors off": (int((matched != tensors["matched_gt"]).sum()), 0),
        "matched IoU": (largest(iou, tensors["matched_iou"]), 1e-5),
        "losses (rel.)": (relative(torch.stack(losses).detach(), expected), 1e-4),
        "gradient (rel.)": (largest(raw.grad, gradient) / float(gradient.abs().max()), 1e-3),
    }


def train(
    path: Path, metadata: dict[str, str], tensors: dict[str, Tensor], dtype: torch.dtype
) -> tuple[Trainer, Tensor]:
    """The trainer after all steps of a case, and the losses [steps,5]."""
    model = build(metadata, load_file(str(path).replace(".io.", ".init."))).to(dtype)
    trainer = Trainer(
        model,
        *(float(metadata[key]) for key in ("lr", "momentum", "weight_decay", "ema_decay")),
        ema_ramp=float(metadata.get("ema_ramp", 2000)),
        adam=metadata.get("optimizer") == "adam",
        frozen=metadata.get("freeze") == "backbone",
    )
    images, labels = (tensors[name].to(dtype) for name in ("images_nchw_bgr", "labels"))
    anchors = make_anchors(*images.shape[3:], dtype)
    steps = (
        torch.stack(trainer.update(*batch, anchors, use_l1=step >= int(metadata["l1_from_step"]))).detach()
        for step, batch in enumerate(zip(images, labels))
    )
    return trainer, torch.stack([*steps])


def check_train(path: Path, metadata: dict[str, str], tensors: dict[str, Tensor]) -> Deviations:
    trainer, losses = train(path, metadata, tensors, torch.float32)
    report = {}
    for step, (ours, expected) in enumerate(zip(losses, tensors["losses"])):
        report[f"losses {step} (rel.)"] = (relative(ours, expected), 1e-3)
    for part, model in (("final", trainer.model), ("ema", trainer.average)):
        state, expected = model.state_dict(), load_file(str(path).replace(".io.", f".{part}."))
        report[part] = (max(largest(state[key], value) for key, value in expected.items()), 1e-4)
    return report


def fixture(args: argparse.Namespace) -> int:
    for path, metadata, tensors in read_cases(args.dir, "train_*.io"):
        trainer, losses = train(path, metadata, tensors, torch.float64)
        parts = {"losses": {"losses": losses}, "final": trainer.model.state_dict(), "ema": trainer.average.state_dict()}
        for part, values in parts.items():
            save_file(values, str(path).replace(".io.", f".{part}."))
    return 0


def golden(args: argparse.Namespace) -> int:
    torch.set_num_threads(args.threads)
    checks = {"forward_*.io": check_forward, "assign_*": check_assign, "train_*.io": check_train}
    cases = [(check, case) for pattern, check in checks.items() for case in read_cases(args.dir, pattern)]
    if not cases:
        sys.exit(f"{args.dir}: no golden files here")
    failed = False
    for check, case in cases:
        path = case[0]
        for what, (deviation, allowed) in check(*case).items():
            ok = deviation <= allowed
            failed |= not ok
            print(f"{'ok' if ok else 'OFF':4}{path.name:34}{what:18}{deviation:.1e} (allowed {allowed:.0e})")
    return int(failed)


def bench(args: argparse.Namespace) -> int:
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    memory_format = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}[args.memory_format]
    model = Yolox(*VARIANTS[args.variant], classes=80).to(memory_format=memory_format)
    trainer = Trainer(model, lr=0.01 / 64 * args.batch)
    images = torch.rand(args.batch, 3, args.size, args.size).mul(255).to(memory_format=memory_format)
    middle, side = args.size * torch.rand(2, args.batch, BOXES_PER_IMAGE, 2)
    labels = torch.cat((torch.randint(80, (args.batch, BOXES_PER_IMAGE, 1)), middle, side / 2 + 8), 2)
    anchors = make_anchors(args.size, args.size)
    if args.on_demand:
        print(f"PyTorch {torch.__version__} {args.memory_format}", flush=True)
        for _ in sys.stdin:
            trainer.update(images, labels, anchors)
            print("done", flush=True)
        return 0
    seconds = []
    for _ in range(args.warmup + args.steps):
        start = time.perf_counter()
        trainer.update(images, labels, anchors)
        seconds.append(time.perf_counter() - start)
    seconds = seconds[args.warmup :]
    speed = args.batch / statistics.median(seconds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if args.json:
        print(json.dumps({"seconds": seconds, "images_per_second": speed, "peak_rss_mb": peak}))
    else:
        print(f"{speed:.2f} images/s, {args.batch / speed:.3f} s a step, {peak:.0f} MB")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("golden", help="check a folder of golden files")
    command.add_argument("dir", type=Path)
    command.add_argument("--threads", type=int, default=2)
    command.set_defaults(run=golden)
    command = commands.add_parser("fixture", help="train the cases of a folder in double precision")
    command.add_argument("dir", type=Path)
    command.set_defaults(run=fixture)
    command = commands.add_parser("bench", help="time training steps")
    command.add_argument("--variant", choices=VARIANTS, default="s")
    command.add_argument("--size", type=int, default=416, help="pixels, a multiple of 32")
    command.add_argument("--batch", type=int, default=4)
    command.add_argument("--steps", type=int, default=10)
    command.add_argument("--warmup", type=int, default=2, help="steps before the clock starts")
    command.add_argument("--threads", type=int, default=2)
    command.add_argument("--memory-format", choices=("channels_last", "contiguous"), default="channels_last")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.add_argument("--on-demand", action="store_true", help="a step for every line of standard input")
    command.set_defaults(run=bench)
    args = parser.parse_args()
    return args.run(args)


if __name__ == "__main__":
    sys.exit(main())
