"""What the readers of all formats share: what a header says, how values become uint8 RGB, and why they can't."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_GREY = np.uint16(128)  # what shows through transparent pixels
_BAND = 2**20  # pixels converted at a time, so that no large image is held in several forms at once


class Damaged(Exception):
    """The content contradicts itself."""


class Truncated(Damaged):
    """The file ends before its content does."""


class Unsupported(Exception):
    """A kind of picture that has no honest 8 bit form, or costs too much; the text names it ("32 bit float values")."""

    def __init__(self, what: str, hint: str = "Save it with 8 or 16 bits.") -> None:
        super().__init__(what)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Header:
    """`stored`: (width, height) in the file; `turn`: EXIF orientation 1–8; `depth`: bytes of a decoded pixel;
    `detail`: what only its decoder needs; `plain`: a PNG of 8 bits without a palette and with nothing unusual in it;
    `bits`: how many of 16 a PNG says are significant."""

    format: str
    stored: tuple[int, int]
    turn: int = 1
    frames: int = 1
    depth: int = 4
    detail: Any = None
    plain: bool = False
    bits: int = 16

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) as a person sees it."""
        return self.stored if self.turn < 5 else (self.stored[1], self.stored[0])

    def scale(self, at_least: int | None) -> int:
        """How many times smaller an image may be decoded, so that its short side keeps `at_least` pixels."""
        return next((s for s in (8, 4, 2) if at_least and min(self.stored) // s >= at_least), 1)


@dataclass(frozen=True, slots=True)
class Decoded:
    """`pixels`: uint8 RGB (h, w, 3), as stored; `mode`: what the file held, for people; `note`: what they should know
    about how it was read; `white`: the value that became 255, None where the file has 8 bits."""

    pixels: NDArray[np.uint8]
    mode: str
    note: str = ""
    white: int | None = None


def rgb8(
    values: NDArray[Any], *, order: str = "RGB", maximum: int | None = None, premultiplied: bool = False
) -> NDArray[np.uint8]:
    """bool, uint8 or uint16 (h, w) or (h, w, 1–4) → uint8 (h, w, 3); the second or fourth channel is alpha.

    `maximum`: the value that becomes 255, as all above it do; by default the largest the type can hold. `order`: "RGB"
    or "BGR". `premultiplied`: the colours were multiplied by alpha already.
    """
    values = values[..., None] if values.ndim == 2 else values
    if values.dtype == np.uint8 and values.shape[2] == 3 and not maximum:
        return (
            np.ascontiguousarray(values)
            if order == "RGB"
            else _array(cv2.cvtColor(values, cv2.COLOR_BGR2RGB))
        )
    height, width, channels = values.shape
    alpha = channels in (2, 4) and values[..., -1].max() > 0
    result = np.empty((height, width, 3), np.uint8)
    for rows in _bands(height, width):
        band, colour = _bytes(values[rows], maximum), result[rows]
        if channels < 3:
            colour[:] = band[..., :1]
        else:
            colour[:] = band[..., 2::-1] if order == "BGR" else band[..., :3]
        if alpha and band[..., -1].min() < 255:
            share = band[..., -1].astype(np.uint16)
            ground = _GREY * (255 - share)
            for channel in range(3):  # one by one: three times faster than all three
                light = colour[..., channel] * (np.uint16(255) if premultiplied else share)
                light += (
                    np.minimum(ground, 65025 - light) if premultiplied else ground
                )  # never above 255 · 255
                colour[..., channel] = _by_255(light)
    return result


def inks8(light: NDArray[Any], *, maximum: int | None = None) -> NDArray[np.uint8]:
    """Four inks, as the light that each lets through: (h, w, 4) of cyan, magenta, yellow, black → uint8 RGB (h, w, 3)."""
    height, width = light.shape[:2]
    result = np.empty((height, width, 3), np.uint8)
    for rows in _bands(height, width):
        band = _bytes(light[rows], maximum)
        black = band[..., 3].astype(np.uint16)
        for channel in range(3):
            result[rows][..., channel] = _by_255(band[..., channel] * black)
    return result


def _by_255(product: NDArray[np.uint16]) -> NDArray[np.uint16]:
    return (product + np.uint16(127)) // np.uint16(255)


def _bands(height: int, width: int) -> Iterator[slice]:
    step = max(1, _BAND // width)
    return (slice(top, top + step) for top in range(0, height, step))


def _bytes(values: NDArray[Any], maximum: int | None) -> NDArray[np.uint8]:
    values = np.ascontiguousarray(values)
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    maximum = maximum or np.iinfo(values.dtype).max
    if maximum == 255 and values.dtype == np.uint8:
        return values
    return _array(cv2.convertScaleAbs(values, alpha=255 / maximum).reshape(values.shape))


def _array(values: Any) -> NDArray[np.uint8]:
    return np.asarray(values, np.uint8)


def stated_end(values: NDArray[Any], bits: int) -> int:
    """Where the range of a 16 bit PNG's values ends that says that `bits` of them are significant.

    By the PNG specification values are spread over all 16 bits (shifted, their first bits repeated below); many cameras
    leave them as they were. Which of both it is, the lower bits tell, whatever the light was.
    """
    end = 2**bits - 1
    if not 8 < bits < 16 or (values > end).any():
        return 65535
    low = values & np.uint16(2 ** (16 - bits) - 1)
    spread = (low == 0).all() or (low == values >> np.uint16(bits)).all()
    return 65535 if spread else end


def range_words(values: NDArray[Any], full: int, white: int) -> tuple[str, str]:
    """What to add to the mode, and what people should know, of the colours (h, w) or (h, w, c) of a file of more than 8
    bits whose range ends at `full` and of which `white` became 255.

    Said are values that keep to the lowest quarter of the range, of which few grey levels are left, and those beyond it.
    The first follows from the file alone, whatever it was read with.
    """
    highest = int(values.max()) if values.size else 0
    if full <= 255 or not highest:
        return "", ""
    used = f", {highest.bit_length()} used" if highest <= full // 4 else ""
    if highest > white:
        over = values > white
        share = float((over if over.ndim == 2 else over.any(axis=2)).mean())
        words = f"{share:.1%}".replace("%", " %") if share >= 0.0005 else "less than 0.1 %"
        return (
            used,
            f"{words} of its pixels are brighter than {white:,}, where its range ends, and read as white.",
        )
    if highest > white // 4:
        return used, ""
    levels = round(highest * 255 / white) + 1
    return (
        used,
        f"its values reach {highest:,} of {white:,}, so only {levels} of 256 grey levels are left of them.",
    )


def turned(pixels: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    """`pixels` (h, w, 3) as a person sees them, (h, w, 3) or (w, h, 3), by the EXIF orientation 1–8."""
    if turn in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


_WHOLE_NUMBERS = {1: "B", 3: "H", 4: "I"}


def exif_turn(exif: bytes) -> int:
    """Orientation from a TIFF-shaped EXIF block, 1 when it is absent or nonsense."""
    try:
        order = {b"II": "<", b"MM": ">"}[exif[:2]]
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(order + "HH", exif, entry)
            if tag == 0x0112:
                (value,) = struct.unpack_from(order + _WHOLE_NUMBERS[kind], exif, entry + 8)
                return int(value) if 1 <= value <= 8 else 1
    except (KeyError, struct.error):
        pass
    return 1
