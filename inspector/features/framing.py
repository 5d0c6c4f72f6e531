"""The sizes at which images are looked at."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray


def resized(pixels: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """uint8 RGB (h, w, 3) at `shape` (rows, columns); the same array where it has that shape. Releases the GIL.

    Shrinking averages areas (no aliasing, and many times faster than an anti-aliased bicubic); enlarging is bicubic.
    """
    if pixels.shape[:2] == shape:
        return pixels
    shrinks = pixels.shape[0] * pixels.shape[1] > shape[0] * shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, shape[::-1], interpolation=method), np.uint8)


def framed(shape: tuple[int, ...], size: int, step: int = 16) -> tuple[int, int]:
    """(rows, columns) of pixels that show an image (h, w, …) undistorted on about size² of them.

    Both sides are multiples of `step`, but for the square, whose sides are `size`. Only few shapes occur, so images of mixed
    sizes still make batches; the most elongated is about 3.5 : 1. A framed image keeps its shape. With sides within 7 % of
    each other (at 15 steps) it is the square.
    """
    (height, width), cells = shape[:2], size // step
    wanted = max(height, width) / min(height, width)
    shapes = [(short, round(cells * cells / short)) for short in range(cells, (cells + 1) // 2 - 1, -1)]
    short, long = min(shapes, key=lambda one: abs(math.log(one[1] / one[0] / wanted)))
    if short == long:
        return size, size
    return (step * short, step * long) if height < width else (step * long, step * short)
