"""Frames of industrial cameras as they are sent: bytes in one of GenICam's pixel formats → pixels."""

import re
from typing import Any

from inspector.errors import ImageError
from inspector.text import printable

_ORDER = {"RG": "RGGB", "GR": "GRBG", "GB": "GBRG", "BG": "BGGR"}
_GREY = re.compile(r"(?:Mono|Bayer(RG|GR|GB|BG))(8|10|12|14|16)$")
_COLOURS = {"RGB8": 3, "BGR8": 3, "RGBa8": 4, "BGRa8": 4, "YUV422_8": 2, "YUV422_8_UYVY": 2}
"""Bytes of a pixel."""


def pixels_of(data: bytes | memoryview, form: str, width: int, height: int) -> Any:
    """`form`: the name of the pixel format, as GenICam's naming convention has it. Gives uint8 BGR (h, w, 3), or uint8 or uint16 grey
    (h, w). Deeper colour is cut to its upper 8 bits. Raises `ImageError` for a format that isn't known, and for too few bytes."""
    import cv2
    import numpy as np

    grey, channels = _GREY.match(form), _COLOURS.get(form, 1)
    if grey is None and form not in _COLOURS:
        raise ImageError(
            f"Pictures in the format {printable(form, 40)} can't be read.",
            "Let the camera give another, such as PixelFormat=Mono8 or PixelFormat=BayerRG8.",
        )
    bits = int(grey[2]) if grey else 8
    kind = np.dtype("<u2" if bits > 8 else "u1")
    count = width * height * channels
    if not count or len(data) < count * kind.itemsize:
        raise ImageError("The camera sent a picture that isn't whole.")
    shape = (height, width, channels) if channels > 1 else (height, width)
    frame = np.frombuffer(data, kind, count).reshape(shape)
    if grey and grey[1]:
        if bits > 8:
            frame = (frame >> (bits - 8)).astype(np.uint8)
        return cv2.cvtColor(frame, getattr(cv2, f"COLOR_Bayer{_ORDER[grey[1]]}2BGR"))
    turned = {
        "RGB8": cv2.COLOR_RGB2BGR,
        "RGBa8": cv2.COLOR_RGBA2BGR,
        "BGRa8": cv2.COLOR_BGRA2BGR,
        "YUV422_8": cv2.COLOR_YUV2BGR_YUY2,
        "YUV422_8_UYVY": cv2.COLOR_YUV2BGR_UYVY,
    }.get(form)
    return frame.copy() if turned is None else cv2.cvtColor(frame, turned)
