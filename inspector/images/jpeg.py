"""JPEG (ITU-T T.81). libjpeg fills with grey what is damaged
and goes on; asked to be strict, it says so instead."""

import re
import struct
from collections.abc import Iterator

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from inspector.images.pixels import Damaged, Decoded, Header, Truncated, Unsupported, exif_turn, inks8

_MAX_SCANS = 100
"""Progressive files have about ten; each is a pass over the whole picture."""
_QUIRKS = re.compile("unknown JFIF|SOS parameters|bad ICC|extraneous bytes before marker 0xd9")
"""What libjpeg warns of though the picture may be whole."""


def parse(data: bytes) -> Header:
    """Raises `Damaged`, `Truncated`, `Unsupported`, and
    struct.error or IndexError where the header is cut."""
    turn, size, channels, depth, start = 1, (0, 0), 0, 8, 0
    for marker, at, end in _segments(data):
        start = end
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            depth, height, width, channels = struct.unpack_from(">BHHB", data, at + 4)
            size = (width, height)
        elif marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            turn = exif_turn(data[at + 10 : end])
    if not channels or not all(size):
        raise Damaged
    if depth != 8:
        raise Unsupported(f"a {depth} bit JPEG")
    end = data.find(b"\xff\xd9", start)  # neither marker can occur inside coded data
    scans = 1 + data.count(b"\xff\xda", start, end if end > 0 else len(data))
    if scans > _MAX_SCANS:
        raise Unsupported(f"{scans:,} passes over the picture", "Save it anew, as PNG for example.")
    return Header("JPEG", size, turn, depth=3 if channels < 4 else 4, detail=channels)


def decode(data: bytes, header: Header, at_least: int | None) -> Decoded:
    """Raises `Truncated` or `Damaged`."""
    channels = header.detail
    scale = header.scale(at_least)
    pixels = strict(data, "CMYK" if channels == 4 else "RGB", header.stored, scale)
    if channels == 4:  # every writer stores inks inverted, as Adobe does
        return Decoded(inks8(pixels), "CMYK 8 bit")
    return Decoded(pixels, "grey 8 bit" if channels == 1 else "RGB 8 bit")


def strict(data: bytes, colours: str, size: tuple[int, int], scale: int = 1) -> NDArray[np.uint8]:
    """uint8 (h, w, channels), `scale` times smaller than `size` (width, height). Raises `Truncated` or
    `Damaged` where libjpeg would invent what is missing."""
    wanted = -(-size[1] // scale), -(-size[0] // scale)
    limits = {"min_height": wanted[0], "min_width": wanted[1], "min_factor": scale} if scale > 1 else {}
    try:
        try:
            pixels = simplejpeg.decode_jpeg(data, colours, **limits)
        except ValueError as error:
            if not _QUIRKS.search(str(error)):
                raise
            pixels = simplejpeg.decode_jpeg(_without_quirks(data), colours, **limits)
    except ValueError as error:
        raise (Truncated if "Premature end of JPEG file" in str(error) else Damaged) from None
    if pixels.shape[:2] != wanted:
        raise Damaged
    return np.asarray(pixels, np.uint8)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, where it begins, where it ends) of each segment
    up to the first scan's header, which is the last."""
    at = 2
    while True:
        if data[at] != 0xFF:
            raise Damaged
        while data[at + 1] == 0xFF:
            at += 1
        marker = data[at + 1]
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        if marker == 0xD9:
            raise Damaged  # the end, before any picture
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + max(length, 2)
        yield marker, at, end
        if marker == 0xDA:
            return
        at = end


def _without_quirks(data: bytes) -> bytes:
    """The same picture without what cameras and programs are known to get wrong around it: an odd JFIF
    version, a broken colour profile, a sequential scan with nonsense for its progression, zeros before the
    end."""
    parts, body, sequential = [data[:2]], 2, False
    for marker, at, end in _segments(data):
        segment = data[at:end]
        sequential |= marker in (0xC0, 0xC1)
        if marker == 0xE0 and segment[4:8] == b"JFIF":
            segment = segment[:9] + b"\1\1" + segment[11:]
        elif marker == 0xDA and sequential:
            segment = segment[:-3] + b"\0\x3f\0"
        if marker != 0xE2:
            parts.append(segment)
        body = end
    last = max(data.find(b"\xff\xd9", body), body)
    coded = data[body:last].rstrip(b"\0")
    return b"".join([*parts, coded, b"\0" if coded.endswith(b"\xff") else b"", data[last:]])
