"""SimOTA in PyTorch, every step of an image vectorised over its objects: the peer of the sim-ota-assign benchmark.

    VENV/bin/python bench/peers/sim_ota_torch.py --size 640 --batch 8 --classes 80 --boxes 20 --threads 2

Prints its name, then decodes and assigns a batch of random outputs for every line of standard input. How to make VENV:
see yolox_torch.py.
"""

import argparse
import sys

import torch
from yolox_torch_model import assign, decode, make_anchors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag in ("size", "batch", "classes", "boxes", "threads"):
        parser.add_argument(f"--{flag}", type=int, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    anchors = make_anchors(args.size, args.size)
    raw = torch.empty(args.batch, len(anchors.grid), 5 + args.classes).uniform_(-4, 1)
    raw[..., :4].uniform_(-1, 1.5)
    classes = torch.randint(args.classes, (args.batch, args.boxes, 1))
    middle, side = args.size * torch.rand(2, args.batch, args.boxes, 2)
    labels = torch.cat((classes, middle, side / 4 + 8), 2)
    print(f"PyTorch {torch.__version__}, vectorised", flush=True)
    for _ in sys.stdin:
        for image, boxes, objects in zip(raw, decode(raw, anchors), labels):
            assign(image, boxes, objects, anchors)
        print("done", flush=True)


if __name__ == "__main__":
    main()
