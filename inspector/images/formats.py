"""The five file formats: what a header says, and how the content becomes uint8 RGB.

Headers are parsed here rather than by a library so that size, frames and completeness are known before anything is
decoded: decoders fill what is missing with grey or black and say nothing. OpenCV, and libspng for plain PNG (a fifth
faster), decode the usual kinds, Pillow the unusual BMPs. None holds the interpreter lock while it decodes: the window
would stand still, and with it the scoring of other images.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cv2
import imagecodecs
import numpy as np
from numpy.typing import NDArray

from inspector.images import jpeg, tiff
from inspector.images.pixels import (
    Damaged,
    Decoded,
    Header,
    Truncated,
    exif_turn,
    range_words,
    rgb8,
    stated_end,
    turned,
)


def parse_header(data: bytes) -> Header:
    """Raises `Truncated`, `Damaged` or `Unsupported`."""
    try:
        if data.startswith(b"\x89PNG"):
            return _png(data)
        if data.startswith(b"\xff\xd8"):
            return jpeg.parse(data)
        if data.startswith(b"BM"):
            return _bmp(data)
        if data.startswith(b"RIFF"):
            return _webp(data)
        return tiff.parse(data)
    except (struct.error, IndexError):
        raise Truncated from None


def decode_pixels(data: bytes, header: Header, at_least: int | None, white: int | None = None) -> Decoded:
    """Pixels as uint8 RGB (height, width, 3) with the EXIF turn applied. Raises as `parse_header` does."""
    if header.format == "TIFF":
        found = tiff.decode(data, header, white)
    elif header.format == "JPEG":
        found = jpeg.decode(data, header, at_least)
    elif header.format == "BMP":
        found = _decode_bmp(data, header)
    else:
        found = _decode_png_or_webp(data, header, white)
    pixels = found.pixels
    if pixels.shape[1::-1] == header.stored and (scale := header.scale(at_least)) > 1:
        size = -(-header.stored[0] // scale), -(-header.stored[1] // scale)
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return replace(found, pixels=turned(pixels, header.turn))


def _decode_png_or_webp(data: bytes, header: Header, white: int | None) -> Decoded:
    values = _plain_png(data, header) if header.plain else None
    order = "RGB"
    if values is None:
        values, order = _imdecode(data, cv2.IMREAD_UNCHANGED), "BGR"
    if values.shape[1::-1] != header.stored:
        raise Damaged
    channels = 1 if values.ndim == 2 else values.shape[2]
    kind = header.detail or {1: "grey", 2: "grey with alpha", 3: "RGB", 4: "RGBA"}[channels]
    mode = f"{kind} {8 * values.dtype.itemsize} bit"
    if values.dtype != np.uint16:
        return Decoded(rgb8(values, order=order), mode)
    colours = values if channels in (1, 3) else values[..., : channels - 1]
    full = stated_end(colours, header.bits)
    maximum = min(white or full, full)
    used, note = range_words(colours, full, maximum)
    return Decoded(rgb8(values, order=order, maximum=maximum), mode + used, note, maximum)


def _imdecode(data: bytes, flags: int) -> NDArray[Any]:
    try:
        found: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        if error.code == -4:  # insufficient memory
            raise MemoryError from None
        raise Damaged from None
    if found is None:
        raise Damaged
    return found


# --- PNG (W3C PNG specification, third edition) ---


_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PLAIN = (0, 2, 6)
"""Colour types without a palette: grey, RGB, RGBA. (Grey with alpha is too rare.)"""
_HARMLESS = {
    *(b"IHDR", b"IDAT", b"IEND", b"tEXt", b"zTXt", b"iTXt", b"tIME", b"pHYs"),
    *(b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"eXIf"),
}
"""Chunks that no decoder stumbles over."""


def _png(data: bytes) -> Header:
    width, height, depth, colour, *how = struct.unpack_from(">IIBBBBB", data, 16)
    turn, frames, bits = 1, 1, 16
    plain = colour in _PLAIN and depth == 8 and not any(how)
    for kind, start, end in _chunks(data):
        if kind in (b"IHDR", b"PLTE", b"IDAT"):
            if zlib.crc32(memoryview(data)[start - 4 : end]) != struct.unpack_from(">I", data, end)[0]:
                raise Damaged
        elif kind == b"acTL":
            (frames,) = struct.unpack_from(">I", data, start)
        elif kind == b"sBIT":
            bits = max(data[start:end], default=16)
        elif kind == b"eXIf":
            turn = exif_turn(data[start:end])
        if kind not in _HARMLESS:
            plain = False
    words = (
        "palette" if colour == 3 else "grey with alpha" if colour == 4 else "grey" if colour == 0 else None
    )
    if depth < 8 and colour == 0 and depth == 1:
        words = "black and white"
    channels = 4 if colour == 3 else {0: 1, 2: 3, 4: 2, 6: 4}.get(colour, 4)
    return Header(
        "PNG", (width, height), turn, frames, channels * (2 if depth == 16 else 1), words, plain, bits
    )


def _plain_png(data: bytes, header: Header) -> NDArray[np.uint8] | None:
    """None where a decoder objects to anything: what is damaged, OpenCV alone decides.

    Three quarters of the time goes into inflating. libdeflate does it three times as fast as the zlib inside PNG
    decoders, which then get the same rows uncompressed.
    """
    width, height = header.stored
    row = 1 + width * header.depth
    try:
        packed = b"".join(data[start:end] for kind, start, end in _chunks(data) if kind == b"IDAT")
        rows = imagecodecs.deflate_decode(packed, out=height * row)
        found: NDArray[np.uint8] = imagecodecs.spng_decode(_stored_png(data[16:29], rows))
    except (imagecodecs.DeflateError, imagecodecs.SpngError):
        return None
    return found


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, where its content starts and ends) of a PNG's chunks up to IEND, whatever follows. Raises Truncated."""
    at, kind = 8, b""
    while kind != b"IEND":
        if at >= len(data):
            raise Truncated
        length, kind = struct.unpack_from(">I4s", data, at)
        start, at = at + 8, at + 12 + length
        if at > len(data):
            raise Truncated
        yield kind, start, start + length


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk of a PNG with its checksum."""
    check = zlib.crc32(content, zlib.crc32(kind))
    return b"".join([struct.pack(">I", len(content)), kind, content, struct.pack(">I", check)])


def _stored_png(head: bytes, rows: bytes | bytearray) -> bytes:
    """A PNG of filtered rows that are kept as they are; `head`: what its IHDR chunk holds."""
    chunks = (b"IHDR", head), (b"IDAT", zlib.compress(rows, 0)), (b"IEND", b"")
    return b"".join([_SIGNATURE, *(png_chunk(kind, content) for kind, content in chunks)])


# --- BMP ---


def _bmp(data: bytes) -> Header:
    offset, size = struct.unpack_from("<II", data, 10)
    if size == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        packing = 0
    else:
        width, height, _, bits, packing = struct.unpack_from("<iiHHI", data, 18)
    if width <= 0 or height == 0:
        raise Damaged
    plain = packing == 0 and bits in (1, 4, 8, 24)
    if packing in (0, 3, 6) and offset + (width * bits + 31) // 32 * 4 * abs(height) > len(data):
        raise Truncated
    return Header("BMP", (width, abs(height)), detail=(plain, bits))


def _decode_bmp(data: bytes, header: Header) -> Decoded:
    plain, bits = header.detail
    pixels = rgb8(_imdecode(data, cv2.IMREAD_COLOR), order="BGR") if plain else _pillow_bmp(data)
    if pixels.shape[1::-1] != header.stored:
        raise Damaged
    return Decoded(pixels, "palette 8 bit" if bits <= 8 else "RGB 8 bit")


def _pillow_bmp(data: bytes) -> NDArray[np.uint8]:
    from PIL import BmpImagePlugin

    # The plugin itself, not Image.open: no guessing, no warnings, and the size has been checked already.
    try:
        with BmpImagePlugin.BmpImageFile(io.BytesIO(data)) as file:
            keep = file.mode in ("L", "RGB", "RGBA")
            return rgb8(np.asarray(file if keep else file.convert("RGB")))
    except (OSError, SyntaxError, ValueError, EOFError, IndexError) as error:
        raise (Truncated if "truncated" in str(error) else Damaged) from None


# --- WebP (RFC 9649) ---


def _webp(data: bytes) -> Header:
    (length,) = struct.unpack_from("<I", data, 4)
    if length + 8 > len(data):
        raise Truncated
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Header("WebP", (width & 0x3FFF, height & 0x3FFF))
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return Header("WebP", ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1))
    if kind != b"VP8X":
        raise Damaged
    width, height = (1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
    chunks = list(_riff(data, length + 8))
    turn = next((exif_turn(c.removeprefix(b"Exif\0\0")) for k, c in chunks if k == b"EXIF"), 1)
    return Header("WebP", (width, height), turn, max(1, sum(k == b"ANMF" for k, _ in chunks)))


def _riff(data: bytes, end: int) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, at)
        yield kind, data[at + 8 : at + 8 + length] if kind == b"EXIF" else b""
        at += 8 + length + length % 2
