"""Makes the goldens beside this file with the PyTorch peer of the benchmarks, an implementation apart from ours.

    python3 -m venv ~/torch && ~/torch/bin/pip install torch==2.13.0 numpy
    ~/torch/bin/python test/golden/tiny/make.py

Weights, image and raw outputs follow from `noise`, which tiny.ts has as well, so that only results are stored.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2] / "bench/peers"))

from yolox_torch_model import Yolox, decode, make_anchors, yolox_loss  # noqa: E402

ARCHITECTURE = {"depth": 0.33, "width": 0.0625, "depthwise": False, "classes": 2}
SIZE = 64
LABELS = [
    [[0, 20, 18, 22, 30], [1, 44, 40, 28, 20], [0, 0, 0, 0, 0]],
    [[1, 32, 32, 60, 50], [0, 12, 50, 10, 12], [1, 50, 12, 16, 14]],
]


def noise(count: int, seed: int) -> np.ndarray:
    """Numbers from -0.5 to 0.5: the upper bits of a product modulo 2^32, scrambled once."""
    x = (np.arange(1, count + 1, dtype=np.uint64) * 2654435761 + seed * 40503) % 2**32
    x = (x ^ (x >> 15)) * 2246822519 % 2**32
    return x.astype(np.float64) / 2**32 - 0.5


def values_of(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    v = noise(math.prod(shape), seed)
    if name.endswith(".bn.weight") or name.endswith("running_var"):
        v = 1 + 0.4 * v
    elif len(shape) == 1:
        v = 0.4 * v
    else:
        v = v * (4 / math.sqrt(math.prod(shape[1:])))
    return v.reshape(shape).astype(np.float32)


def rounded(values: torch.Tensor) -> list[float]:
    return [float(f"{value:.7g}") for value in values.flatten().tolist()]


def make_forward() -> dict:
    model = Yolox(**ARCHITECTURE).eval()
    state = model.state_dict()
    names = sorted(name for name in state if not name.endswith("num_batches_tracked"))
    for seed, name in enumerate(names):
        state[name] = torch.from_numpy(values_of(name, tuple(state[name].shape), seed))
    model.load_state_dict(state)
    image = torch.from_numpy((255 * (noise(3 * SIZE * SIZE, 1000) + 0.5)).astype(np.float32)).reshape(1, 3, SIZE, SIZE)
    with torch.no_grad():
        raw = model(image)
        output = torch.cat((decode(raw, make_anchors(SIZE, SIZE)), raw[..., 4:].sigmoid()), -1)
    return {"architecture": ARCHITECTURE, "size": SIZE, "output": rounded(output)}


def make_loss() -> dict:
    anchors = make_anchors(SIZE, SIZE)
    shape = (len(LABELS), len(anchors.grid), 5 + ARCHITECTURE["classes"])
    raw = torch.from_numpy((1.5 * noise(math.prod(shape), 2000)).astype(np.float32)).reshape(shape).requires_grad_()
    labels = torch.tensor(LABELS, dtype=torch.float32)
    losses, matched, matched_iou = yolox_loss(raw, labels, anchors, use_l1=True)
    losses[0].backward()
    return {
        "classes": ARCHITECTURE["classes"],
        "size": SIZE,
        "labels": LABELS,
        "matched_gt": matched.flatten().tolist(),
        "matched_iou": rounded(matched_iou),
        "losses": [float(f"{float(loss.detach()):.7g}") for loss in losses],
        "grad": rounded(raw.grad),
    }


for name, golden in (("forward", make_forward()), ("loss", make_loss())):
    (HERE / f"{name}.json").write_text(json.dumps(golden) + "\n")
