"""Small pictures of every format, encoded by other libraries than those that read them."""

import io
import struct
import zlib

import numpy as np
import tifffile
from PIL import Image as Pillow

RNG = np.random.default_rng(7)
SMOOTH = np.stack(np.meshgrid(np.arange(48) * 5, np.arange(32) * 7, indexing="xy"), -1).astype(np.uint8)
RGB = np.concatenate([SMOOTH, np.full((32, 48, 1), 90, np.uint8)], -1)


def encoded(picture: Pillow.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
