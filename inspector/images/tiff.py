"""TIFF 6.0 and BigTIFF: tifffile reads the directories, libtiff (in imagecodecs) the pixels of the one that is chosen."""

import io
import logging
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from inspector.images import jpeg
from inspector.images.pixels import Damaged, Decoded, Header, Truncated, Unsupported, inks8, range_words, rgb8

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it reports odd tags of a readable file as errors

_MAX_DIRECTORIES = 64
_MAX_CHAIN = 10_000
_MAX_PIECES = 2**18
"""Strips or tiles of one picture; the largest in strips of one row and three planes has 49,152."""
_COMPRESSIONS = {1, 2, 3, 4, 5, 7, 8, 32773, 32946, 34925, 50000, 50001}
"""What libtiff decodes and tells when it can't: none, CCITT, LZW, JPEG, Deflate, PackBits, LZMA, Zstandard, WebP."""
_JPEG = 7
_COLOURS = {"grey": 1, "RGB": 3, "palette": 1, "CMYK": 4}
_ALPHA = (1, 2)
"""Extra samples that are alpha: premultiplied (associated) and not."""


@contextmanager
def _told_apart(data: bytes) -> Iterator[None]:
    """What libraries stumble over becomes `Damaged` or `Truncated`."""
    try:
        yield
    except (Damaged, Unsupported, MemoryError):
        raise
    except Exception as error:  # tifffile raises whatever a broken directory leads to
        raise (Truncated if len(data) < 16 or isinstance(error, struct.error) else Damaged) from None


def parse(data: bytes) -> Header:
    """Raises `Damaged`, `Truncated` or `Unsupported`."""
    header = outline(data)
    if header.frames == 1:
        with _told_apart(data):
            _kind(header.detail)
    return header


def outline(data: bytes) -> Header:
    """What a file holds, whether or not it has an honest 8 bit form; `detail`: its directory. Raises `Damaged` or
    `Truncated`."""
    with _told_apart(data):
        file = tifffile.TiffFile(io.BytesIO(data))
        pictures = _pictures(file, data)
        page = pictures[0]
        size = (int(page.imagewidth), int(page.imagelength))
        frames = len(pictures)
        if frames == 1 and file.is_imagej and file.imagej_metadata:
            frames = int(file.imagej_metadata.get("images", 1))
        if page.is_stk:
            frames = max(frames, int(page.tags[33629].count))
        frames = max(frames, int(page.imagedepth))
        if min(size) <= 0:
            raise Damaged
        if frames > 1:
            return Header("TIFF", size, frames=frames)
        turn = page.tags.valueof(274)
        bits = max(page.bitspersample) if isinstance(page.bitspersample, tuple) else int(page.bitspersample)
        depth = int(page.samplesperpixel) * max(1, -(-bits // 8))
        return Header("TIFF", size, turn if turn in range(1, 9) else 1, depth=depth, detail=page)


def stored(data: bytes, header: Header) -> NDArray[Any]:
    """(h, w, samples) as they are in the file; bool where a sample has one bit. Raises `Damaged` or `Truncated`."""
    with _told_apart(data):
        page = header.detail
        _check_pieces(page, len(data))
        values = _values(data, page)
        if values.shape[1::-1] != header.stored or values.shape[2] != page.samplesperpixel:
            raise Damaged
        return values


def decode(data: bytes, header: Header, white: int | None) -> Decoded:
    """`white`: see `read.read`. Raises `Damaged` or `Truncated`."""
    with _told_apart(data):
        return _decoded(data, header, white)


def _decoded(data: bytes, header: Header, white: int | None) -> Decoded:
    page = header.detail
    kind, alpha, note = _kind(page)
    bits = int(page.bitspersample)
    values = stored(data, header)
    if note:
        values = values[..., :3]
    mode = f"{kind} with alpha {bits} bit" if alpha else f"{kind} {bits} bit"
    if kind == "palette":
        return Decoded(_coloured(values[..., 0], page.colormap), mode)
    maximum = 2**bits - 1
    if kind == "CMYK" or page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        colours = values[..., : _COLOURS[kind]]
        np.subtract(maximum, colours, out=colours) if bits > 1 else np.logical_not(colours, out=colours)
    stated = int(np.max(page.tags.valueof(281, 0)))  # MaxSampleValue
    if bits > 8 and 255 < stated < maximum:
        maximum = stated
    full = maximum
    if bits > 8 and white:
        maximum = min(maximum, white)
    used, said = range_words(values[..., : _COLOURS[kind]], full, maximum)
    ends = None if bits in (1, 8) else maximum
    pixels = (
        inks8(values, maximum=ends)
        if kind == "CMYK"
        else rgb8(values, maximum=ends, premultiplied=alpha == 1)
    )
    return Decoded(pixels, mode + used, note or said, maximum if bits > 8 else None)


def _pictures(file: Any, data: bytes) -> list[Any]:
    """The directories that hold pictures, not thumbnails or masks of them. A reduced copy says so, or else is smaller
    than the one that it is filed under or that is filed under it."""
    form = file.tiff
    (first,) = struct.unpack_from(form.offsetformat, data, 4 if form.offsetsize == 4 else 8)
    chain = _chain(data, form, first)
    seen = set(chain)
    families = []
    for offset in chain[:_MAX_DIRECTORIES]:
        family = [_directory(file, offset)]
        for below in family[0].subifds or ():
            new = [at for at in _chain(data, form, below) if at not in seen] if below not in seen else []
            seen.update(new)
            if len(seen) > len(chain) + _MAX_DIRECTORIES:
                raise Damaged
            family += [_directory(file, at) for at in new]
        families.append(family)
    pictures: list[Any] = []
    for family in families:
        pages = [page for page in family if not page.subfiletype & 0b101]
        pictures += [page for page in pages if _area(page) == max(map(_area, pages))]
    if not pictures:
        pictures = [max((page for family in families for page in family), key=_area)]
    return pictures + chain[_MAX_DIRECTORIES:]


def _chain(data: bytes, form: Any, offset: int) -> list[int]:
    """Where the directories lie that follow each other, to the very end: a chain that leaves the file was cut."""
    found: dict[int, None] = {}
    while offset and len(found) < _MAX_CHAIN:
        if offset in found:
            raise Damaged
        found[offset] = None
        (count,) = struct.unpack_from(form.tagnoformat, data, offset)
        (offset,) = struct.unpack_from(
            form.offsetformat, data, offset + form.tagnosize + count * form.tagsize
        )
    return list(found)


def _directory(file: Any, offset: int) -> Any:
    file.filehandle.seek(offset)
    return tifffile.TiffPage(file, index=(0,))


def _area(page: Any) -> int:
    return int(page.imagewidth) * int(page.imagelength)


def _check_pieces(page: Any, end: int) -> None:
    """Every strip or tile lies in the file, and none is much larger than the picture."""
    offsets, counts = np.array(page.dataoffsets, np.uint64), np.array(page.databytecounts, np.uint64)
    if not math.prod(page.chunked) <= len(offsets) <= _MAX_PIECES:
        raise Damaged
    if not len(offsets) or offsets.min() < 8:  # libtiff would read the header as pixels
        raise Damaged
    last = offsets[: len(counts)] + counts[: len(offsets)]
    if offsets.max() >= end or (len(last) and last.max() > end):
        raise Truncated
    if page.is_tiled and int(page.tilewidth) * int(page.tilelength) > 4 * max(_area(page), 2**18):
        raise Damaged


def _kind(page: Any) -> tuple[str, int, str]:
    """(what the samples are, alpha as in `_ALPHA` or 0, what to say of samples that aren't shown)."""
    bits, samples, compression = page.bitspersample, int(page.samplesperpixel), int(page.compression)
    if not isinstance(page.photometric, int) or not isinstance(bits, (int, tuple)):
        raise Damaged
    if page.sampleformat != 1 or bits not in (1, 2, 4, 8, 10, 12, 14, 16):
        formats = {1: "unsigned", 2: "signed", 3: "float"}
        raise Unsupported(
            f"{bits if isinstance(bits, int) else 'mixed'} bit {formats.get(page.sampleformat, 'unknown')} values"
        )
    photometric = tifffile.PHOTOMETRIC
    kind = {
        photometric.MINISWHITE: "grey",
        photometric.MINISBLACK: "grey",
        photometric.RGB: "RGB",
        photometric.PALETTE: "palette",
        photometric.SEPARATED: "CMYK",
        photometric.YCBCR: "RGB" if compression == _JPEG else "",  # the decoder converts it
    }.get(page.photometric, "")
    if not kind or samples < _COLOURS[kind]:
        raise Unsupported(f"{getattr(page.photometric, 'name', page.photometric)} colours", _PLAIN)
    extra = samples - _COLOURS[kind]
    if compression not in _COMPRESSIONS or (compression == _JPEG and (samples not in (1, 3) or bits != 8)):
        raise Unsupported(
            f"{samples} channels in {getattr(page.compression, 'name', compression)} compression", _PLAIN
        )
    alpha = (*page.extrasamples, 0)[0] if extra == 1 and kind in ("grey", "RGB") else 0
    if extra > 1 or (extra and alpha not in _ALPHA and kind != "RGB"):
        raise Unsupported(f"{samples} channels", "Save the one to be inspected, or three as RGB.")
    if extra and alpha not in _ALPHA:
        return kind, 0, "its fourth channel is no transparency and was not looked at."
    return kind, int(alpha), ""


_PLAIN = "Save it as PNG, or as RGB or grey TIFF with LZW or ZIP compression."


def _values(data: bytes, page: Any) -> NDArray[Any]:
    """(h, w, samples) as they are stored; bool where a sample has one bit."""
    if page.compression == _JPEG:
        _check_jpegs(data, page)
    form = page.parent.tiff
    edits = []
    start = 4 if form.offsetsize == 4 else 8
    if struct.unpack_from(form.offsetformat, data, start)[0] != page.offset:
        edits.append((form.offsetformat, start, page.offset))  # libtiff takes the first directory
    if page.photometric == tifffile.PHOTOMETRIC.SEPARATED:  # it would convert inks and pass over damage
        tag = page.tags[262]
        layout = form.byteorder + {3: "H", 4: "I"}[tag.dtype]
        edits.append((layout, tag.valueoffset, tifffile.PHOTOMETRIC.RGB))
    if edits:
        changed = bytearray(data)
        for layout, at, value in edits:
            struct.pack_into(layout, changed, at, value)
        data = bytes(changed)
    values = imagecodecs.tiff_decode(data, index=0)
    if values.ndim == 2:
        return np.asarray(values[..., None])
    planes = page.planarconfig == 2 and page.compression != _JPEG
    return (
        np.moveaxis(values, 0, -1) if planes and len(values) == page.samplesperpixel else np.asarray(values)
    )


def _check_jpegs(data: bytes, page: Any) -> None:
    """libtiff passes over damage inside a JPEG strip; a strict look at each tells."""
    tables = (page.jpegtables or b"")[:-2]
    pieces = math.prod(page.chunked)
    planes = int(page.samplesperpixel) if page.planarconfig == 2 else 1
    area = 0
    for offset, count in zip(page.dataoffsets[:pieces], page.databytecounts[:pieces], strict=True):
        piece = data[offset : offset + count]
        piece = tables + piece[2:] if tables else piece
        header = jpeg.parse(piece)
        area += header.stored[0] * header.stored[1]
        if area > 4 * planes * max(_area(page), 2**18) or header.detail * planes != page.samplesperpixel:
            raise Damaged
        jpeg.strict(piece, {1: "GRAY", 3: "RGB"}.get(header.detail, "CMYK"), header.stored, 8)
    if area < planes * _area(page):  # the rest would be black
        raise Damaged


def _coloured(index: NDArray[Any], colours: Any) -> NDArray[np.uint8]:
    if not isinstance(colours, np.ndarray) or colours.ndim != 2 or len(colours) != 3:
        raise Damaged
    index = index.astype(np.uint8) if index.dtype == np.bool_ else index
    if index.max() >= colours.shape[1]:
        raise Damaged
    # Entries have 16 bits, as v·256 or v·257; some writers store 8.
    table = colours.T if colours.max() < 256 else colours.T >> 8
    return np.asarray(table.astype(np.uint8)[index])
