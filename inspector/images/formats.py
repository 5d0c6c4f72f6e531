"""The five file formats: what a header says, and how the content becomes uint8 RGB.

Headers are parsed here rather than by a library so that size, frames and completeness are known before anything is
decoded: OpenCV fills the missing part of a truncated file with grey and says nothing. OpenCV, and kornia-rs for plain
PNG (twice as fast), then decode the usual kinds without holding the interpreter lock; Pillow (CMYK JPEG, unusual BMP)
and tifffile decode the rest.
"""

import io
import logging
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it reports odd tags of a readable file as errors

_GREY = 128  # what shows through transparent pixels


class Damaged(Exception):
    """The content contradicts itself."""


class Truncated(Damaged):
    """The file ends before its content does."""


class Unsupported(Exception):
    """A kind of picture that has no honest 8 bit form; the text names it ("32 bit float values")."""


@dataclass(frozen=True, slots=True)
class Header:
    """`stored`: (width, height) in the file; `turn`: EXIF orientation 1–8; `detail`: what only its decoder needs;
    `plain`: what kornia-rs calls the layout of a PNG that it decodes, else ""."""

    format: str
    stored: tuple[int, int]
    turn: int = 1
    frames: int = 1
    detail: Any = None
    plain: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) as a person sees it."""
        return self.stored if self.turn < 5 else (self.stored[1], self.stored[0])


def parse_header(data: bytes) -> Header:
    """Raises `Truncated`, `Damaged` or `Unsupported`."""
    try:
        if data.startswith(b"\x89PNG"):
            return _png(data)
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data)
        if data.startswith(b"BM"):
            return _bmp(data)
        if data.startswith(b"RIFF"):
            return _webp(data)
        return _tiff(data)
    except (struct.error, IndexError):
        raise Truncated from None


def decode_pixels(data: bytes, header: Header, at_least: int | None) -> tuple[NDArray[np.uint8], str]:
    """Pixels as uint8 RGB (height, width, 3) with the EXIF turn applied, and the mode for people."""
    if header.format == "TIFF":
        pixels, mode = _decode_tiff(data, header)
    elif header.format == "JPEG":
        pixels, mode = _decode_jpeg(data, header, at_least)
    elif header.format == "BMP":
        pixels, mode = _decode_bmp(data, header)
    else:
        found = _plain_png(data, header) if header.plain else None
        if found is None:
            pixels = rgb8(found := _imdecode(data, cv2.IMREAD_UNCHANGED), order="BGR")
        else:
            pixels = rgb8(found)
        mode = _mode(found, header.detail)
        if pixels.shape[1::-1] != header.stored:
            raise Damaged
    if at_least and pixels.shape[1::-1] == header.stored and (scale := _scale(header, at_least)) > 1:
        size = -(-header.stored[0] // scale), -(-header.stored[1] // scale)
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return _turned(pixels, header.turn), mode


def _scale(header: Header, at_least: int | None) -> int:
    """How many times smaller an image may be decoded, so that its short side keeps `at_least` pixels."""
    return next((s for s in (8, 4, 2) if at_least and min(header.stored) // s >= at_least), 1)


def rgb8(pixels: NDArray[Any], *, order: str = "RGB", maximum: int | None = None) -> NDArray[np.uint8]:
    """bool, uint8 or uint16 (h, w) or (h, w, 1–4) → uint8 (h, w, 3).

    `maximum`: the value that becomes 255; by default the largest the type can hold. `order`: "RGB" or "BGR".
    """
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    maximum = maximum or np.iinfo(pixels.dtype).max
    if maximum != 255 or pixels.dtype != np.uint8:
        pixels = cv2.convertScaleAbs(pixels, alpha=255 / maximum).reshape(pixels.shape)
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels in (1, 2):
        grey = pixels.reshape(*pixels.shape[:2], channels)
        colour = cv2.cvtColor(np.ascontiguousarray(grey[..., 0]), cv2.COLOR_GRAY2RGB)
    elif channels == 4:
        colour = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB if order == "BGR" else cv2.COLOR_RGBA2RGB)
    else:
        colour = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) if order == "BGR" else np.ascontiguousarray(pixels)
    if channels in (2, 4):
        alpha = cv2.extractChannel(pixels, channels - 1)
        if alpha.max() > 0 and alpha.min() < 255:
            share = alpha[..., None].astype(np.float32) / 255
            colour = (colour * share + _GREY * (1 - share) + 0.5).astype(np.uint8)
    result: NDArray[np.uint8] = colour
    return result


def _mode(found: NDArray[Any], kind: str | None = None) -> str:
    channels = 1 if found.ndim == 2 else found.shape[2]
    kind = kind or {1: "grey", 2: "grey with alpha", 3: "RGB", 4: "RGBA"}[channels]
    return f"{kind} {8 * found.dtype.itemsize} bit"


def _turned(pixels: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    if turn in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


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


def _exif_turn(exif: bytes) -> int:
    """Orientation from a TIFF-shaped EXIF block, 1 when it is absent or nonsense."""
    try:
        order = {b"II": "<", b"MM": ">"}[exif[:2]]
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(order + "HHIH", exif, entry)
            if tag == 0x0112:
                return value if 1 <= value <= 8 else 1
    except (KeyError, struct.error):
        pass
    return 1


# --- PNG (W3C PNG specification, third edition) ---


_PLAIN = {0: "mono", 2: "rgb", 6: "rgba"}
"""Colour types without a palette. (Grey with alpha is too rare.)"""
_HARMLESS = {
    *(b"IHDR", b"IDAT", b"IEND", b"tEXt", b"zTXt", b"iTXt", b"tIME", b"pHYs"),
    *(b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"eXIf"),
}
"""Chunks that no decoder stumbles over."""


def _png(data: bytes) -> Header:
    width, height, depth, colour, *how = struct.unpack_from(">IIBBBBB", data, 16)
    turn, frames, ended = 1, 1, False
    plain = _PLAIN.get(colour, "") if depth == 8 and not any(how) else ""
    at = 8
    while at < len(data) and not ended:
        length, kind = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):
            raise Truncated
        if kind in (b"IHDR", b"PLTE", b"IDAT"):
            content = memoryview(data)[at + 4 : at + 8 + length]
            if zlib.crc32(content) != struct.unpack_from(">I", data, at + 8 + length)[0]:
                raise Damaged
        elif kind == b"acTL":
            (frames,) = struct.unpack_from(">I", data, at + 8)
        elif kind == b"eXIf":
            turn = _exif_turn(data[at + 8 : at + 8 + length])
        if kind not in _HARMLESS:
            plain = ""
        ended = kind == b"IEND"
        at += 12 + length
    if not ended:
        raise Truncated
    kind = "palette" if colour == 3 else "grey with alpha" if colour == 4 else "grey" if colour == 0 else None
    if depth < 8 and colour == 0 and depth == 1:
        kind = "black and white"
    return Header("PNG", (width, height), turn, frames, kind, plain)


def _plain_png(data: bytes, header: Header) -> NDArray[np.uint8] | None:
    """None where the decoder objects to anything: what is damaged, OpenCV alone decides.

    It doesn't compare the compressed stream's own checksum; the CRC of its chunks, compared already, covers the same.
    """
    from kornia_rs.io import decode_image_png_u8

    try:
        found: NDArray[np.uint8] = decode_image_png_u8(data, header.stored[::-1], header.plain)
    except Exception:  # it raises nothing more precise
        return None
    return found


# --- JPEG (ITU-T T.81) ---


def _jpeg(data: bytes) -> Header:
    at, turn = 2, 1
    size, channels, depth = (0, 0), 0, 8
    while True:
        if data[at] != 0xFF:
            raise Damaged
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            continue
        if marker == 0xD9:
            raise Damaged  # the end, before any picture
        (length,) = struct.unpack_from(">H", data, at)
        if marker == 0xDA:
            break
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            depth, height, width, channels = struct.unpack_from(">BHHB", data, at + 2)
            size = (width, height)
        elif marker == 0xE1 and data[at + 2 : at + 8] == b"Exif\0\0":
            turn = _exif_turn(data[at + 8 : at + length])
        at += max(length, 2)
    if not channels or not all(size):
        raise Damaged
    if data.rfind(b"\xff\xd9", at) < 0:  # can't occur inside coded data
        raise Truncated
    if depth != 8:
        raise Unsupported(f"a {depth} bit JPEG")
    return Header("JPEG", size, turn, detail=channels)


def _decode_jpeg(data: bytes, header: Header, at_least: int | None) -> tuple[NDArray[np.uint8], str]:
    if header.detail == 4:
        from PIL import JpegImagePlugin

        return _pillow(JpegImagePlugin.JpegImageFile, data), "CMYK 8 bit"
    scale = _scale(header, at_least)
    # The "grey" names carry nothing but the scale; colour and its order come from the second flag.
    reduced = {
        1: 0,
        2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
        4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
        8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
    }[scale]
    pixels = _imdecode(data, reduced | cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    width, height = header.stored
    if pixels.shape != (-(-height // scale), -(-width // scale), 3):
        raise Damaged
    return pixels, "grey 8 bit" if header.detail == 1 else "RGB 8 bit"


def _pillow(plugin: Any, data: bytes) -> NDArray[np.uint8]:
    # The plugin itself, not Image.open: no guessing, no warnings, and the size has been checked already.
    try:
        with plugin(io.BytesIO(data)) as file:
            keep = file.mode in ("L", "RGB", "RGBA")
            return rgb8(np.asarray(file if keep else file.convert("RGB")))
    except (OSError, SyntaxError, ValueError, EOFError, IndexError) as error:
        raise (Truncated if "truncated" in str(error) else Damaged) from None


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


def _decode_bmp(data: bytes, header: Header) -> tuple[NDArray[np.uint8], str]:
    plain, bits = header.detail
    if plain:
        pixels = rgb8(_imdecode(data, cv2.IMREAD_COLOR), order="BGR")
    else:
        from PIL import BmpImagePlugin

        pixels = _pillow(BmpImagePlugin.BmpImageFile, data)
    if pixels.shape[1::-1] != header.stored:
        raise Damaged
    return pixels, "palette 8 bit" if bits <= 8 else "RGB 8 bit"


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
    turn = next((_exif_turn(c.removeprefix(b"Exif\0\0")) for k, c in chunks if k == b"EXIF"), 1)
    return Header("WebP", (width, height), turn, max(1, sum(k == b"ANMF" for k, _ in chunks)))


def _riff(data: bytes, end: int) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, at)
        yield kind, data[at + 8 : at + 8 + length] if kind == b"EXIF" else b""
        at += 8 + length + length % 2


# --- TIFF 6.0 and BigTIFF ---


def _tiff(data: bytes) -> Header:
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            pages = [page.aspage() for page in file.pages]
            if not pages:
                raise Damaged
            page = pages[0]
            frames = sum(not p.is_reduced and not p.subfiletype & 4 for p in pages[1:]) + 1
            if file.is_imagej and file.imagej_metadata:
                frames = max(frames, int(file.imagej_metadata.get("images", 1)))
            if page.imagedepth > 1:
                frames = max(frames, page.imagedepth)
            spans = zip(page.dataoffsets, page.databytecounts, strict=False)
            if any(offset + count > len(data) for offset, count in spans):
                raise Truncated
            turn = page.tags.get(274)
            size = (int(page.imagewidth), int(page.imagelength))
            if not all(size):
                raise Damaged
            return Header("TIFF", size, int(turn.value) if turn and turn.value in range(1, 9) else 1, frames)
    except Damaged:
        raise
    except Exception as error:  # tifffile raises whatever a broken directory leads to
        raise (Truncated if len(data) < 16 or isinstance(error, struct.error) else Damaged) from None


def _decode_tiff(data: bytes, header: Header) -> tuple[NDArray[np.uint8], str]:
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages[0].aspage()
            kind = _tiff_kind(page)
            found = page.asarray()
            found = np.moveaxis(found, page.axes.index("S"), -1) if "S" in page.axes else found
            bits = int(page.bitspersample)
            stated = page.tags.get(281)  # MaxSampleValue
            highest = np.max(stated.value) if stated else 0
            colormap = page.colormap
            alpha = bool(page.extrasamples)
    except (Unsupported, MemoryError):
        raise
    except Exception:  # tifffile and its codecs raise many kinds
        raise Damaged from None
    found = np.ascontiguousarray(found.reshape(header.stored[1], header.stored[0], -1))
    maximum = None if bits in (1, 8) or found.dtype == np.bool_ else 2**bits - 1
    if bits > 8 and 255 < highest < 2**bits - 1:
        maximum = int(highest)
    mode = f"{kind} {bits} bit"
    if kind == "palette":
        return (colormap.T[found[..., 0]] >> 8).astype(np.uint8), mode  # writers store v·256 or v·257
    if kind == "CMYK":
        inks = rgb8(found[..., :3], maximum=maximum).astype(np.float32)
        black = rgb8(found[..., 3], maximum=maximum).astype(np.float32)
        return ((255 - inks) * (255 - black) / 255 + 0.5).astype(np.uint8), mode
    channels = 3 if kind == "RGB" else 1
    found = found[..., : channels + alpha]
    pixels = rgb8(found, maximum=maximum)
    if kind == "grey" and page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        pixels = 255 - pixels
    return pixels, f"{kind} with alpha {bits} bit" if alpha else mode


def _tiff_kind(page: Any) -> str:
    import tifffile

    if page.sampleformat != 1 or page.bitspersample > 16:
        formats = {1: "unsigned", 2: "signed", 3: "float"}
        raise Unsupported(f"{page.bitspersample} bit {formats.get(page.sampleformat, 'unknown')} values")
    photometric = page.photometric
    if photometric in (tifffile.PHOTOMETRIC.MINISWHITE, tifffile.PHOTOMETRIC.MINISBLACK):
        return "grey"
    if photometric == tifffile.PHOTOMETRIC.RGB and page.samplesperpixel >= 3:
        return "RGB"
    if photometric == tifffile.PHOTOMETRIC.YCBCR and page.compression in (6, 7):
        return "RGB"  # the JPEG codec has converted it
    if photometric == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None:
        return "palette"
    if photometric == tifffile.PHOTOMETRIC.SEPARATED and page.samplesperpixel >= 4:
        return "CMYK"
    raise Unsupported(f"{getattr(photometric, 'name', photometric)} colours")
