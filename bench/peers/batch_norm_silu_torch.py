"""Batch norm and SiLU, forward and backward, in PyTorch: the peer of the batch-norm-silu benchmark.

    VENV/bin/python bench/peers/batch_norm_silu_torch.py --batch 4 --size 160 --channels 64 --threads 2

Prints its name, then goes forward and backward over random values for every line of standard input. How to make VENV:
see yolox_torch.py.
"""

import argparse
import sys

import torch
from torch import nn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag in ("batch", "size", "channels", "threads"):
        parser.add_argument(f"--{flag}", type=int, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    layer = nn.Sequential(nn.BatchNorm2d(args.channels, eps=1e-3, momentum=0.03), nn.SiLU(inplace=True)).train()
    x, dy = torch.randn(2, args.batch, args.channels, args.size, args.size)
    x = x.to(memory_format=torch.channels_last).requires_grad_()
    dy = dy.to(memory_format=torch.channels_last)
    print(f"PyTorch {torch.__version__} channels_last", flush=True)
    for _ in sys.stdin:
        x.grad = None
        layer.zero_grad()
        layer(x).backward(dy)
        print("done", flush=True)


if __name__ == "__main__":
    main()
