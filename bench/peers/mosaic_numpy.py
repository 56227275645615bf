"""YOLOX's training images the usual way, with OpenCV and numpy: the peer of the mosaic-warp benchmark.

    python3 -m venv VENV && VENV/bin/pip install opencv-python-headless numpy
    VENV/bin/python bench/peers/mosaic_numpy.py --size 640 --batch 8 --processes 2

From decoded images to a float32 batch in shared memory: mosaic on a canvas of twice the size, affine, HSV, mixup,
flip, float. Prints its name, then makes one batch for every line it is sent and answers with a line. Its processes
share the work image by image, with one OpenCV thread each.
"""

import argparse
import math
import multiprocessing
import random
import sys

import cv2
import numpy as np

PAD = 114
IMAGES = 16


def fit(image: np.ndarray, size: int) -> np.ndarray:
    ratio = min(size / image.shape[0], size / image.shape[1])
    shape = int(image.shape[1] * ratio), int(image.shape[0] * ratio)
    return cv2.resize(image, shape, interpolation=cv2.INTER_LINEAR)


def mosaic(images: list[np.ndarray], size: int) -> np.ndarray:
    canvas = np.full((2 * size, 2 * size, 3), PAD, np.uint8)
    cx, cy = (int(random.uniform(0.5, 1.5) * size) for _ in range(2))
    for i, image in enumerate(images):
        tile = fit(image, size)
        height, width = tile.shape[:2]
        x = cx - width if i % 2 == 0 else cx
        y = cy - height if i < 2 else cy
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + width, 2 * size), min(y + height, 2 * size)
        canvas[top:bottom, left:right] = tile[top - y : bottom - y, left - x : right - x]
    return canvas


def affine(canvas: np.ndarray, size: int) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((0, 0), random.uniform(-10, 10), random.uniform(0.1, 2))
    shear = np.eye(3)
    shear[0, 1], shear[1, 0] = (math.tan(math.radians(random.uniform(-2, 2))) for _ in range(2))
    centre, shift = np.eye(3), np.eye(3)
    centre[:2, 2] = -size
    shift[:2, 2] = [random.uniform(0.4, 0.6) * size for _ in range(2)]
    forward = shift @ shear @ np.vstack([matrix, [0, 0, 1]]) @ centre
    return cv2.warpAffine(canvas, forward[:2], dsize=(size, size), borderValue=(PAD, PAD, PAD))


def mixup(image: np.ndarray, partner: np.ndarray, size: int) -> np.ndarray:
    other = np.full((size, size, 3), PAD, np.uint8)
    tile = fit(partner, size)
    other[: tile.shape[0], : tile.shape[1]] = tile
    jitter = random.uniform(0.5, 1.5)
    other = cv2.resize(other, (int(size * jitter), int(size * jitter)))
    if random.random() < 0.5:
        other = other[:, ::-1]
    crop = np.zeros((size, size, 3), np.uint8)
    y, x = (random.randint(0, max(0, side - size)) for side in other.shape[:2])
    part = other[y : y + size, x : x + size]
    crop[: part.shape[0], : part.shape[1]] = part
    return cv2.addWeighted(image, 0.5, crop, 0.5, 0)


def shift_colours(image: np.ndarray) -> np.ndarray:
    gains = np.random.uniform(-1, 1, 3) * [5, 30, 30]
    gains = (gains * np.random.randint(0, 2, 3)).astype(np.int16)
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV).astype(np.int16)
    hsv[..., 0] = (hsv[..., 0] + gains[0]) % 180
    hsv[..., 1:] = np.clip(hsv[..., 1:] + gains[1:], 0, 255)
    return cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2BGR)


def draw(images: list[np.ndarray], out: np.ndarray) -> None:
    size = out.shape[1]
    image = affine(mosaic(random.choices(images, k=4), size), size)
    image = shift_colours(mixup(image, random.choice(images), size))
    if random.random() < 0.5:
        image = image[:, ::-1]
    out[:] = image


def work(memory, shape: tuple, images: list[np.ndarray], mine: range, barrier) -> None:
    cv2.setNumThreads(1)
    batch = np.frombuffer(memory, np.float32).reshape(shape)
    while True:
        barrier.wait()
        for n in mine:
            draw(images, batch[n])
        barrier.wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=640)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--processes", type=int, default=2)
    flags = parser.parse_args()
    shape = (flags.batch, flags.size, flags.size, 3)
    images = [np.random.default_rng(i).integers(0, 256, (480, 640, 3), np.uint8) for i in range(IMAGES)]
    memory = multiprocessing.RawArray("f", int(np.prod(shape)))
    barrier = multiprocessing.Barrier(flags.processes + 1)
    for i in range(flags.processes):
        mine = range(i, flags.batch, flags.processes)
        multiprocessing.Process(target=work, args=(memory, shape, images, mine, barrier), daemon=True).start()
    print(f"OpenCV {cv2.__version__}, {flags.processes} processes", flush=True)
    for _ in sys.stdin:
        barrier.wait()
        barrier.wait()
        print(flush=True)


if __name__ == "__main__":
    main()
