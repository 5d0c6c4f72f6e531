"""FILE → MASK: which pixels a person marked as defective. A mask holds labels, not light, so it isn't read as a picture.

The rule: a pixel whose label is not 0 is defective, whatever the label's depth; of colours and palettes, all but black.
Transparency never counts. Compression smears the labels of a JPEG, so there a defect begins at half of the brightest
value. A mask has its image's size, and lies as the image is seen, or as it is stored where the shape shows that.
"""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.errors import ImageError
from inspector.images import read as images
from inspector.text import printable

_ORIENTATION = 0x0112
_LEAST_BRIGHT = 16
"""A JPEG that is nowhere brighter is black."""


def read(path: Path, image: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The defective pixels, (height, width), of an image that is `size` (width, height) as it is seen.

    Raises ImageError: unreadable, several pages, another shape than its image, or no telling what it marks.
    """
    name, data = printable(path.name), images.read_bytes(path)
    try:
        labels, alpha, own_turn = _labels(data, name, size)
    except ImageError:
        raise
    except Exception as error:  # whatever a decoder stumbles over
        raise ImageError(
            f"The mask “{name}” can't be decoded: {_words(error)}.",
            "Save it as PNG, black where nothing is marked.",
        ) from None
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
        marked = _turned(marked, _turn_by_shape(marked, size, _turn_of(image), name))
    if marked.shape[::-1] != size:
        raise _other_size(marked.shape[::-1], size, name)
    return marked


def _other_size(found: tuple[int, ...], size: tuple[int, int], name: str) -> ImageError:
    return ImageError(
        f"The mask “{name}” has {' × '.join(map(str, found))} pixels, its image {size[0]} × {size[1]}.",
        "Save it in its image's size and direction.",
    )


def _labels(data: bytes, name: str, size: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any] | None, int]:
    """(labels (h, w) or (h, w, 3), 0 where nothing is marked; alpha; EXIF turn)."""
    import PIL.Image

    with PIL.Image.open(BytesIO(data)) as file:
        width, height = file.size
        if width * height > images.MAX_PIXELS:
            raise ImageError(f"The mask “{name}” has {width:,} × {height:,} pixels.", "Save it smaller.")
        if {width, height} != set(size):  # told before all of it is decoded
            raise _other_size((width, height), size, name)
        if getattr(file, "n_frames", 1) > 1:
            raise ImageError(f"The mask “{name}” holds several pages.", "Save each as a mask of its own.")
        raw = str(file.tile[0][3]) if file.tile else ""  # gone once it is loaded
        file.load()  # tells a file that was cut short
        turn = _valid(file.getexif().get(_ORIENTATION, 1))
        if ";16" in raw and len(file.getbands()) > 1:  # Pillow keeps the upper half of each value
            return *_sixteen_bit(data, str(file.format), len(file.getbands())), turn
        if file.mode in ("P", "PA"):
            colours = np.array(file.getpalette("RGB"), np.uint8).reshape(-1, 3).any(axis=1)
            index = np.asarray(file.getchannel(0))
            labels: NDArray[Any] = np.where(
                np.append(colours, np.zeros(256, np.bool_))[index], index + np.int16(1), 0
            )
            return labels, None, turn
        if file.mode in ("RGBA", "LA", "RGBa", "La"):
            values = np.asarray(file)
            return values[..., :-1], values[..., -1], turn
        labels = np.asarray(
            file if file.mode in ("1", "L", "F", "I", "RGB") or "16" in file.mode else file.convert("RGB")
        )
        if file.format in ("JPEG", "MPO"):
            bright = labels if labels.ndim == 2 else labels.max(axis=2)
            labels = bright >= max(int(bright.max()) / 2, _LEAST_BRIGHT)
        return labels, None, turn


def _sixteen_bit(data: bytes, kind: str, bands: int) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Labels and alpha of a file with 16 bits in each of several channels."""
    if kind == "TIFF":
        import tifffile

        values = tifffile.imread(BytesIO(data))
    else:
        import cv2

        values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim != 3:
        raise ValueError("16 bit channels in an unusual order")
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


def _turn_of(image: Path) -> int:
    import PIL.Image

    try:
        with PIL.Image.open(image) as file:
            return _valid(file.getexif().get(_ORIENTATION, 1))
    except Exception:  # an image that only our own reader knows has no EXIF that matters
        return 1


def _valid(turn: Any) -> int:
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else 1


def _turned(marked: NDArray[np.bool_], turn: int) -> NDArray[np.bool_]:
    if turn >= 5:
        marked = marked.T
    if turn in (2, 3, 6, 7):
        marked = marked[:, ::-1]
    if turn in (3, 4, 7, 8):
        marked = marked[::-1]
    return np.ascontiguousarray(marked, np.bool_)


def _words(error: Exception) -> str:
    return (str(error).strip().split("\n")[0] or type(error).__name__).rstrip(".")
