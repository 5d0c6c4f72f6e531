"""FILE → MASK: which pixels a person marked as defective. A
mask holds labels, not light, so it isn't read as a picture.

The rule: a pixel whose label is not 0 is defective, whatever the label's depth; of colours and palettes, all
but black. Transparency never counts. Compression smears the labels of a JPEG, so there a defect begins at
half of the brightest value. A mask has its image's size, and lies as the image is seen, or as it is stored
where the shape shows that.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.errors import ImageError
from inspector.images import formats, tiff
from inspector.images import read as images
from inspector.images.pixels import Damaged, Header, Truncated, Unsupported
from inspector.text import printable, reason

_JPEG = 7
"""What a TIFF calls that compression."""
_LEAST_BRIGHT = 16
"""A JPEG that is nowhere brighter is black."""


def read(path: Path, image: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The defective pixels, (height, width), of an image that is `size` (width, height) as it is seen.

    Raises ImageError: unreadable, several pages, another shape than its image, or no telling what it marks.
    """
    name, data = printable(path.name), images.read_bytes(path)
    with _told(name):
        labels, alpha, own_turn = _labels(data, name, size)
    channels = [labels] if labels.ndim == 2 else list(np.moveaxis(labels, 2, 0))
    marked = _turned(np.logical_or.reduce([channel != 0 for channel in channels]), own_turn)
    if marked.all() and any(
        channel.min() != channel.max() for channel in (*channels, *(() if alpha is None else (alpha,)))
    ):
        raise ImageError(
            f"The mask “{name}” marks every pixel, as no pixel is black; transparency doesn't count.",
            "Save it black where nothing is marked.",
        )
    if own_turn == 1:
        with _told(name):
            turn = formats.parse_header(images.read_bytes(image)).turn
        marked = _turned(marked, _turn_by_shape(marked, size, turn, name))
    if marked.shape[::-1] != size:
        raise _other_size(marked.shape[::-1], size, name)
    return marked


def _other_size(found: tuple[int, ...], size: tuple[int, int], name: str) -> ImageError:
    return ImageError(
        f"The mask “{name}” has {' × '.join(map(str, found))} pixels, its image {size[0]} × {size[1]}.",
        "Save it in its image's size and direction.",
    )


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What decoders stumble over becomes a sentence."""
    try:
        yield
    except ImageError:
        raise
    except MemoryError:
        raise ImageError(
            f"There is not enough memory to open the mask “{name}”.", "Close other programs."
        ) from None
    except Exception as error:
        said = "it ends too early" if isinstance(error, Truncated) else _words(error)
        raise ImageError(
            f"The mask “{name}” can't be decoded: {said}.", "Save it as PNG, black where nothing is marked."
        ) from None


def _labels(data: bytes, name: str, size: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any] | None, int]:
    """(labels (h, w) or (h, w, 3), 0 where nothing is marked; alpha; EXIF
    turn). What costs more than an image may is refused by its header."""
    header = tiff.outline(data) if data[:2] in (b"II", b"MM") else formats.parse_header(data)
    if set(header.stored) != set(size):
        raise _other_size(header.stored, size, name)
    if header.frames > 1:
        raise ImageError(f"The mask “{name}” holds several pages.", "Save each as a mask of its own.")
    if math.prod(header.stored) * header.depth > images.MAX_DECODED:
        raise ImageError(f"The mask “{name}” has {header.depth} bytes a pixel.", "Save it with 8 bits.")
    if header.format == "TIFF":
        labels, alpha = _of_tiff(data, header)
    elif header.format == "JPEG":
        pixels = formats.decode_pixels(data, replace(header, turn=1), None).pixels
        labels, alpha = _unsmeared(pixels), None
    else:
        labels, alpha = _of_pillow(data, header)
    return labels, alpha, header.turn


def _unsmeared(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    bright = pixels.max(axis=2)
    return np.asarray(bright >= max(int(bright.max()) / 2, _LEAST_BRIGHT))


def _of_tiff(data: bytes, header: Header) -> tuple[NDArray[Any], NDArray[Any] | None]:
    page = header.detail
    values = tiff.stored(data, header)
    photometric, samples = page.photometric.name, values.shape[2]
    if page.compression == _JPEG:
        return _unsmeared(values), None
    if photometric == "PALETTE" and samples == 1:
        colours: NDArray[np.bool_] = np.any(
            np.asarray(page.colormap).reshape(3, -1) != 0, axis=0, keepdims=True
        )[0]
        index = values[..., 0].astype(np.intp)
        if index.max() >= colours.size:
            raise Damaged
        return _where_coloured(index, colours), None
    if photometric == "MINISWHITE" and samples == 1 and values.dtype.kind in "bu":
        if values.dtype == np.bool_:
            return ~values[..., 0], None
        return 2 ** int(page.bitspersample) - 1 - values[..., 0], None
    colours_of = {"MINISBLACK": 1, "RGB": 3}.get(photometric, 0)
    if not colours_of or samples not in (colours_of, colours_of + 1):
        raise Unsupported(f"{samples} channels of {photometric} colours are no mask")
    labels = values[..., :colours_of]
    return labels, values[..., -1] if samples > colours_of else None


def _where_coloured(index: NDArray[Any], colours: NDArray[np.bool_]) -> NDArray[Any]:
    """A palette's labels, 0 where its colour is black."""
    return np.where(colours[index], index + np.int32(1), 0)


def _of_pillow(data: bytes, header: Header) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """PNG, BMP and WebP: by their plugins themselves, which guess nothing and warn of nothing."""
    from PIL import BmpImagePlugin, PngImagePlugin, WebPImagePlugin

    opened: dict[str, Any] = {
        "PNG": PngImagePlugin.PngImageFile,
        "BMP": BmpImagePlugin.BmpImageFile,
        "WebP": WebPImagePlugin.WebPImageFile,
    }
    with opened[header.format](BytesIO(data)) as file:
        raw = str(file.tile[0][3]) if file.tile else ""  # gone once it is loaded
        if file.size != header.stored:
            raise Damaged
        if ";16" in raw and len(file.getbands()) > 1:  # Pillow keeps the upper half of each value
            return _sixteen_bit(data, len(file.getbands()))
        file.load()
        if file.mode in ("P", "PA"):
            colours = np.array(file.getpalette("RGB"), np.uint8).reshape(-1, 3).any(axis=1)
            index = np.asarray(file.getchannel(0))
            return _where_coloured(index, np.append(colours, np.zeros(256, np.bool_))), None
        if file.mode in ("RGBA", "LA"):
            values = np.asarray(file)
            return values[..., :-1], values[..., -1]
        return np.asarray(
            file if file.mode in ("1", "L", "I", "RGB") or "16" in file.mode else file.convert("RGB")
        ), None


def _sixteen_bit(data: bytes, bands: int) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Labels and alpha of a PNG with 16 bits in each of several channels."""
    import cv2

    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim != 3:
        raise Damaged
    alpha = values[..., -1] if bands in (2, 4) else None
    return values[..., :-1] if alpha is not None else values, alpha


def _turn_by_shape(marked: NDArray[np.bool_], size: tuple[int, int], turn: int, name: str) -> int:
    """How a mask without an EXIF turn is to be turned beside an image that has one."""
    if turn == 1:
        return 1
    as_seen, as_stored = size, size[::-1] if turn >= 5 else size
    shape = marked.shape[::-1]
    if shape == as_seen == as_stored and marked.any():
        raise ImageError(
            f"Its image is turned by its EXIF tag, and whether the mask “{name}” is turned too can't be told.",
            "Save the image upright, without the tag.",
        )
    return turn if shape == as_stored else 1


def _turned(marked: NDArray[np.bool_], turn: int) -> NDArray[np.bool_]:
    if turn >= 5:
        marked = marked.T
    if turn in (2, 3, 6, 7):
        marked = marked[:, ::-1]
    if turn in (3, 4, 7, 8):
        marked = marked[::-1]
    return np.ascontiguousarray(marked, np.bool_)


def _words(error: Exception) -> str:
    if isinstance(error, Damaged):
        return "it is damaged"
    return reason(error).rstrip(".")
