"""FILE → IMAGE: read a file, and say in one sentence why one can't be read.

What the file holds decides, never its suffix. This module imports no decoder, so the window may import it at start.
"""

import hashlib
import logging
import os
import stat
from pathlib import Path

from inspector.domain import Image
from inspector.errors import ImageError
from inspector.text import printable, storable

_log = logging.getLogger("inspector.images")

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".tif", ".tiff", ".webp")
MAX_PIXELS = 2**27
"""Largest image read: 134 megapixels (16,384 × 8,192)."""
MIN_SIDE = 8
"""Shortest side read, in pixels."""
MAX_DECODED = 4 * MAX_PIXELS
"""Most bytes of an image's values: of the largest image, four of 8 bits a pixel. Reading takes up to four times that."""
MAX_BYTES = MAX_DECODED + 2**24
"""Largest file read: those values, uncompressed, and what describes them."""

HEAD = 64
"""So many bytes tell what a file is."""


def read(path: Path | str, at_least: int | None = None, white: int | None = None) -> Image:
    """Read and decode one file.

    `at_least`: when given, the caller needs no more than this many pixels on the short side; the image then comes at
    1/2, 1/4 or 1/8 of its size as long as that many remain (a JPEG several times faster, and none fills the memory).
    `Image.size` stays the size of the original. Pictures that are compared with each other should be read with the
    same `at_least`.

    Grey, RGB, RGBA, CMYK and palette become uint8 RGB; the EXIF turn is applied; ICC profiles are ignored. More than
    8 bits: 0 … 65535 becomes 0 … 255, the same for every image, unless a TIFF itself states a smaller largest value
    (fewer bits per sample, or MaxSampleValue), a PNG leaves its significant bits (sBIT) where they were, or `white`
    does: the value that becomes 255, such as 4095 for cameras that put 12 bits into 16. `Image.note` says when few
    grey levels are left, and when values lie beyond. Alpha that is opaque, or zero, everywhere is dropped; otherwise
    the picture is laid on mid grey (128).

    Raises `ImageError`: missing, not a file, not permitted, empty, truncated, damaged, not an image, of an
    unsupported kind, with several frames, smaller than `MIN_SIDE`, or larger than `MAX_PIXELS` or `MAX_DECODED` (told
    from the header). Nothing else is raised, whatever a decoder stumbles over.
    """
    path = Path(path)
    return decode(read_bytes(path), path.name, path, at_least=at_least, white=white)


def read_bytes(path: Path) -> bytes:
    """The bytes of one image file, for `decode` and for a copy. Raises `ImageError` for what no decoding could mend:
    missing, not a file, not permitted, empty, not an image, larger than `MAX_BYTES`."""
    name = printable(path.name)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(path):
                pass
            raise ImageError(f"“{name}” is a folder, not an image.", "Choose the images inside it.")
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(
                f"“{name}” is not an ordinary file.", "Copy the image to an ordinary file first."
            )
        if status.st_size > MAX_BYTES:
            raise ImageError(
                f"“{name}” has {status.st_size / 2**20:,.0f} MiB; image files up to {MAX_BYTES / 2**20:.0f} MiB are read.",
                "Crop the image or save it smaller.",
            )
        with path.open("rb") as file:
            head = file.read(HEAD)
            _check_kind(head, name)
            return head + file.read()
    except FileNotFoundError:
        raise ImageError(
            f"“{name}” is no longer there.",
            "Check that it was not moved, renamed or deleted, then add it again.",
        ) from None
    except PermissionError:
        raise ImageError(
            f"“{name}” may not be read by you.", "Ask for read permission, or copy it elsewhere."
        ) from None
    except MemoryError:
        raise _no_memory(name) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(
            f"“{name}” can't be read: {reason}.", "Check the drive or the network share."
        ) from None


def decode(
    data: bytes, name: str, path: Path | None = None, *, at_least: int | None = None, white: int | None = None
) -> Image:
    """Decode the bytes of a file (also from the clipboard); see `read`. Raises ImageError."""
    from inspector.images import formats
    from inspector.images.pixels import Damaged, Truncated, Unsupported

    shown = printable(name)
    _check_kind(data[:HEAD], shown)
    try:
        header = formats.parse_header(data)
        width, height = header.size
        if width * height > MAX_PIXELS:
            raise ImageError(
                f"“{shown}” has {width:,} × {height:,} pixels; the limit is {MAX_PIXELS / 1e6:.0f} megapixels.",
                "Crop the image or save it smaller.",
            )
        if width * height * header.depth > MAX_DECODED:
            raise ImageError(
                f"“{shown}” has {width:,} × {height:,} pixels of {header.depth} bytes; the limit is "
                f"{MAX_DECODED / 2**20:.0f} MiB.",
                "Crop the image, or save it with 8 bits and without transparency.",
            )
        if min(width, height) < MIN_SIDE:
            raise ImageError(
                f"“{shown}” has only {width} × {height} pixels; each side needs at least {MIN_SIDE}.",
                "Choose the full-size image.",
            )
        if header.frames > 1:
            raise ImageError(
                f"“{shown}” holds {header.frames} frames or pages, and a defect outside the first would go unseen.",
                "Save each frame as an image of its own.",
            )
        found = formats.decode_pixels(data, header, at_least, white)
    except ImageError:
        raise
    except Unsupported as error:
        raise ImageError(f"“{shown}” holds {error}; such files are not read.", error.hint) from None
    except Truncated:
        raise ImageError(
            f"“{shown}” ends too early: the file is truncated.", "Copy it again from where it came from."
        ) from None
    except Damaged:
        raise ImageError(
            f"“{shown}” is damaged: its content can't be decoded.", "Copy it again from where it came from."
        ) from None
    except MemoryError:
        raise _no_memory(shown) from None
    except Exception as error:  # whatever a decoder stumbles over
        _log.exception("“%s” can't be decoded", shown)
        raise ImageError(
            f"“{shown}” can't be decoded ({type(error).__name__}).", "Save it anew, as PNG for example."
        ) from None
    return Image(
        pixels=found.pixels,
        sha256=hashlib.sha256(data).hexdigest(),
        name=storable(name),
        path=path,
        mode=found.mode,
        note=found.note,
        white=found.white,
        original_size=header.size,
    )


def _no_memory(name: str) -> ImageError:
    return ImageError(
        f"There is not enough memory to open “{name}”.", "Close other programs or crop the image."
    )


_KNOWN = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_OTHERS = {
    b"GIF8": "GIF file",
    b"%PDF": "PDF file",
    b"PK\x03\x04": "ZIP archive or office document",
    b"8BPS": "Photoshop file",
    b"\0\0\0\x0cjP  ": "JPEG 2000 file",
    b"\xff\x4f\xff\x51": "JPEG 2000 file",
    b"\xff\x0a": "JPEG XL file",
    b"\0\0\0\x0cJXL ": "JPEG XL file",
    b"\x76\x2f\x31\x01": "OpenEXR file",
    b"\x93NUMPY": "NumPy array",
    b"SIMPLE  =": "FITS file",
    b"\x1aE\xdf\xa3": "video",
    b"version https://git-lfs": "Git LFS pointer",
}
_UNKNOWN = "other file"


def other_kind(head: bytes) -> str:
    """What a file is by its first `HEAD` bytes, in the singular and without an article; "" for an image of a kind that
    is read, also when it was cut short."""
    if head.startswith(_KNOWN) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return ""
    if head and len(head) < 12 and any(k.startswith(head) for k in (*_KNOWN, b"RIFF")):
        return ""
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return (
            "HEIC file"
            if brand[:3] in (b"hei", b"hev", b"mif")
            else "AVIF file"
            if brand[:3] == b"avi"
            else "video"
        )
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "video"
    return next((words for magic, words in _OTHERS.items() if head.startswith(magic)), _UNKNOWN)


def _check_kind(head: bytes, name: str) -> None:
    """Refuse by its first bytes what is no image, before the rest is read."""
    if not head:
        raise ImageError(f"“{name}” is empty (0 bytes).", "Copy it again from where it came from.")
    if not any(head):
        raise ImageError(
            f"“{name}” is filled with zeros, not an image.", "Copy it again from where it came from."
        )
    what = other_kind(head)
    if not what:
        return
    hint = "Fetch the image itself: git lfs pull." if "LFS" in what else "Use PNG, JPEG, BMP, TIFF or WebP."
    article = "an" if what[0] in "AO" else "a"
    raise ImageError(f"“{name}” is {'not an image' if what == _UNKNOWN else f'{article} {what}'}.", hint)
