"""The network's input from a decoded image with OpenCV and numpy: the peer of the letterbox benchmark.

    python3 -m venv VENV && VENV/bin/pip install opencv-python-headless numpy
    VENV/bin/python bench/peers/letterbox_opencv.py --size 416 --images 50

Prints its name, then fits so many images of 640x480 for every line it is sent and answers with a line.
"""

import argparse
import sys

import cv2
import numpy as np

PAD = 114


def letterbox(image: np.ndarray, size: int) -> np.ndarray:
    ratio = min(size / image.shape[0], size / image.shape[1])
    height, width = int(image.shape[0] * ratio), int(image.shape[1] * ratio)
    canvas = np.full((size, size, 3), PAD, np.uint8)
    canvas[:height, :width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(canvas.transpose(2, 0, 1), dtype=np.float32)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=416)
    parser.add_argument("--images", type=int, default=50)
    flags = parser.parse_args()
    cv2.setNumThreads(1)
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    print(f"OpenCV {cv2.__version__} and numpy", flush=True)
    for _ in sys.stdin:
        for _ in range(flags.images):
            letterbox(image, flags.size)
        print(flush=True)


if __name__ == "__main__":
    main()
