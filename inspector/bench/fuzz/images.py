"""Small images of every kind that is read, and how they are
damaged: by accident, and by who knows the formats."""

import io
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.images import mask, read
from inspector.images.formats import png_chunk

_SIZE = (48, 40)  # width, height


def draw() -> dict[str, bytes]:
    """Name → whole file, some thirty of them."""
    import tifffile
    from PIL import Image

    width, height = _SIZE
    across, down = np.meshgrid(np.arange(width) * 5, np.arange(height) * 6)
    rgb = np.dstack([across, down, np.full((height, width), 90)]).astype(np.uint8)
    rgb[::5, ::7] ^= 85
    grey, deep = rgb[..., 0], rgb[..., 0].astype(np.uint16) * 257
    alpha = np.dstack([rgb, 255 - grey])
    picture = Image.fromarray(rgb)
    exif = Image.Exif()
    exif[0x0112] = 6
    files: dict[str, bytes] = {}

    def pillow(name: str, image: Any, kind: str, **options: Any) -> None:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        files[name] = buffer.getvalue()

    def tiff(name: str, *pages: NDArray[Any], first: dict[str, Any] | None = None, **options: Any) -> None:
        buffer = io.BytesIO()
        layout = {key: options.pop(key) for key in ("bigtiff", "byteorder", "imagej") if key in options}
        with tifffile.TiffWriter(buffer, **layout) as writer:
            for number, page in enumerate(pages):
                writer.write(page, **options, **(first or {} if number == 0 else {}))
        files[name] = buffer.getvalue()

    for name, image in (
        ("grey", Image.fromarray(grey)),
        ("rgb", picture),
        ("rgba", Image.fromarray(alpha)),
        ("grey-alpha", Image.fromarray(np.dstack([grey, 255 - grey]))),
        ("palette", picture.quantize(16)),
        ("bits", Image.fromarray(grey > 99)),
        ("deep", Image.fromarray(deep)),
    ):
        pillow(f"{name}.png", image, "PNG")
    pillow("turned.png", picture, "PNG", exif=exif)
    pillow("palette-holes.png", picture.quantize(16), "PNG", transparency=3)
    pillow("film.png", picture, "PNG", save_all=True, append_images=[Image.fromarray(255 - rgb)])
    files["deep-rgba.png"] = cv2.imencode(".png", alpha.astype(np.uint16) * 257)[1].tobytes()
    pillow("plain.jpg", picture, "JPEG")
    pillow("progressive.jpg", picture, "JPEG", progressive=True, exif=exif)
    pillow("grey.jpg", Image.fromarray(grey), "JPEG", restart_marker_blocks=2)
    pillow("inks.jpg", picture.convert("CMYK"), "JPEG")
    for name, image in (
        ("bits", Image.fromarray(grey > 99)),
        ("palette", picture.quantize(16)),
        ("rgb", picture),
        ("rgba", Image.fromarray(alpha)),
    ):
        pillow(f"{name}.bmp", image, "BMP")
    files["packed.bmp"] = _run_length_bmp(np.asarray(grey >> 4, np.uint8))
    pillow("lossy.webp", picture, "WEBP")
    pillow("lossless.webp", Image.fromarray(alpha), "WEBP", lossless=True, exif=exif)
    pillow("film.webp", picture, "WEBP", save_all=True, append_images=[Image.fromarray(255 - rgb)])
    colours = np.linspace(0, 65535, 768).reshape(3, 256).astype(np.uint16)
    for compression in ("none", "lzw", "zlib", "packbits", "jpeg", "zstd", "lzma", "webp"):
        tiff(f"{compression}.tif", rgb, photometric="rgb", compression=compression, rowsperstrip=16)
    pillow("fax.tif", Image.fromarray(grey > 99), "TIFF", compression="group4")
    pillow("inks.tif", picture.convert("CMYK"), "TIFF", compression="tiff_lzw")
    tiff("deep.tif", deep, compression="zlib", predictor=True)
    tiff("twelve.tif", deep >> 4, bitspersample=12)
    tiff("palette.tif", grey, photometric="palette", colormap=colours)
    tiff("white-is-zero.tif", grey, photometric="miniswhite")
    tiff("planes.tif", np.moveaxis(rgb, -1, 0), photometric="rgb", planarconfig="separate", compression="lzw")
    tiff("tiles.tif", rgb, photometric="rgb", tile=(16, 16), compression="zlib")
    tiff("jpeg-tiles.tif", rgb, photometric="rgb", tile=(16, 16), compression="jpeg")
    tiff("alpha.tif", alpha, photometric="rgb", extrasamples=["assocalpha"])
    tiff("motorola.tif", rgb, photometric="rgb", byteorder=">")
    tiff("big.tif", deep, bigtiff=True)
    tiff("pages.tif", rgb, rgb, photometric="rgb")
    tiff("below.tif", rgb[::4, ::4], rgb, photometric="rgb", first={"subfiletype": 1, "subifds": 1})
    tiff("stack.tif", np.stack([grey, grey]), imagej=True)
    return files


def read_image(file: Path) -> None:
    """Whole and reduced; what is returned must be what is promised."""
    image = read.read(file)
    small = read.read(file, at_least=10, white=4095)
    for found in (image, small):
        if found.pixels.dtype != np.uint8 or found.pixels.ndim != 3 or found.pixels.shape[2] != 3:
            raise AssertionError(f"{found.pixels.dtype} {found.pixels.shape}")
    if image.pixels.shape[1::-1] != image.size or small.size != image.size:
        raise AssertionError(f"{image.pixels.shape} for {image.size} and {small.size}")


def read_mask(file: Path) -> None:
    """As the mask of an image that has the size of a whole one."""
    marked = mask.read(file, file, _SIZE)
    if marked.dtype != np.bool_ or marked.shape != _SIZE[::-1]:
        raise AssertionError(f"{marked.dtype} {marked.shape}")


def mutate(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """One to three kinds of damage, one after the other."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        damage = damage_any if rng.random() < 0.5 else _FOR.get(data[:2], _flip)
        try:
            data = damage(rng, data, others)
        except (struct.error, zlib.error, IndexError, ValueError, KeyError, OverflowError):
            data = _flip(rng, data, others)  # the format isn't whole any more
    return data


def damage_any(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """What happens to files of whatever kind: cut, bits changed, odd numbers, blocks lost or doubled."""
    return rng.choice(_ANY)(rng, data or b"\0", others)


_ODD = (0, 1, 2, 7, 8, 16, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


def _put(rng: random.Random, data: bytes, at: int, layout: str, value: int) -> bytes:
    order = rng.choice("<>") if layout[0] not in "<>" else ""
    size = struct.calcsize((order or "") + layout)
    packed = struct.pack(order + layout, value % 2 ** (8 * size))
    return data[:at] + packed + data[at + size :]


def _cut(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    return data[: rng.randrange(len(data))]


def _cut_and_end(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    return data[: rng.randrange(len(data))] + data[-rng.choice((2, 12)) :]


def _flip(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    changed = bytearray(data or b"\0")
    for _ in range(rng.choice((1, 1, 3, 16))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _number(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """An odd number somewhere, mostly near the beginning."""
    at = int(len(data) * rng.random() ** 3)
    return _put(rng, data, at, rng.choice("BHI"), rng.choice(_ODD))


def _block(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """A stretch is lost, doubled, zeroed, made noise, or comes from another file."""
    at, length = rng.randrange(len(data)), rng.choice((1, 4, 64, 512))
    other = rng.choice(others)
    start = rng.randrange(len(other))
    piece = data[at : at + length]
    new = rng.choice(
        (b"", piece * 2, bytes(len(piece)), rng.randbytes(len(piece)), other[start : start + length])
    )
    return data[:at] + new + data[at + length :]


_ANY: tuple[Callable[[random.Random, bytes, list[bytes]], bytes], ...] = (
    _cut,
    _cut_and_end,
    _flip,
    _number,
    _block,
)


def _png(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """A chunk's content, under a checksum that is right;
    now and then the chunk comes twice, or not at all."""
    places = []
    at = 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        places.append((at, length))
        at += 12 + length
    at, length = rng.choice(places)
    kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
    if kind == b"IDAT" and rng.random() < 0.5:
        content = zlib.compress(_flip(rng, zlib.decompress(content), others))
    else:
        content = rng.choice((_flip, _number, _cut))(rng, content or b"\0\0\0\0", others)
    return data[:at] + png_chunk(kind, content) * rng.choice((1, 1, 1, 1, 0, 2)) + data[at + 12 + length :]


def _jpeg(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """A marker's segment: another length, an odd number in it, gone, or many times over."""
    places = [at for at in range(2, len(data) - 4) if data[at] == 0xFF and data[at + 1] >= 0xC0]
    at = rng.choice(places)
    (length,) = struct.unpack_from(">H", data, at + 2)
    segment = data[at : at + 2 + length]
    how = rng.randrange(5)
    if how == 0:
        return _put(rng, data, at + 2, ">H", rng.choice(_ODD))
    if how == 1:
        return data[:at] + data[at + len(segment) :]
    if how == 2:
        return data[:at] + segment * rng.choice((2, 50, 3000)) + data[at + len(segment) :]
    if how == 3:
        return _put(
            rng, data, at + 1, "B", rng.choice((0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC9, 0xDA, 0xDB, 0xDD, 0xE1))
        )
    return _put(rng, data, at + 4 + rng.randrange(max(1, length - 2)), rng.choice("BH"), rng.choice(_ODD))


def _tiff(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """A directory's entry: another tag, type, count or value; or where the next directory lies."""
    order = {b"II": "<", b"MM": ">"}[data[:2]]
    (version,) = struct.unpack_from(order + "H", data, 2)
    big = version == 43
    number, entry, pointer = ("Q", 20, "Q") if big else ("H", 12, "I")
    count_layout = "Q" if big else "I"
    (at,) = struct.unpack_from(order + pointer, data, 8 if big else 4)
    chain = [at]
    while len(chain) < rng.randrange(1, 4):
        (count,) = struct.unpack_from(order + number, data, at)
        (at,) = struct.unpack_from(order + pointer, data, at + struct.calcsize(number) + entry * count)
        if not at:
            break
        chain.append(at)
    at = chain[-1]
    (count,) = struct.unpack_from(order + number, data, at)
    first = at + struct.calcsize(number)
    if rng.random() < 0.1:
        target = rng.choice((*chain, rng.randrange(len(data)), 2**31))
        return _put(rng, data, first + entry * count, order + pointer, target)
    place = first + entry * rng.randrange(count)
    how = rng.randrange(4)
    if how == 0:
        return _put(rng, data, place, order + "H", rng.choice(_TAGS))
    if how == 1:
        return _put(rng, data, place + 2, order + "H", rng.randrange(20))
    if how == 2:
        return _put(rng, data, place + 4, order + count_layout, rng.choice(_ODD))
    odd = rng.choice((*_ODD, *range(10), *chain, len(data) - 1, len(data)))
    return _put(rng, data, place + 4 + struct.calcsize(count_layout), order + rng.choice("HI"), odd)


_TAGS = (
    *(
        254,
        255,
        256,
        257,
        258,
        259,
        262,
        266,
        273,
        274,
        277,
        278,
        279,
        281,
        284,
        317,
        320,
        322,
        323,
        324,
        325,
    ),
    *(330, 338, 339, 347, 513, 514, 530, 532, 32997, 33628, 33629, 34665, 50838, 50839),
)


def _run_length_bmp(index: NDArray[np.uint8]) -> bytes:
    """A palette BMP, packed as one run a pixel."""
    height, width = index.shape
    rows = (
        b"".join(b"".join(bytes((1, int(value))) for value in row) + b"\0\0" for row in index[::-1]) + b"\0\1"
    )
    palette = b"".join(bytes((v * 16, 255 - v * 16, v * 9, 0)) for v in range(16))
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(rows), 0, 0, 16, 0)
    offset = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(rows), 0, 0, offset) + head + palette + rows


_FOR = {b"\x89P": _png, b"\xff\xd8": _jpeg, b"II": _tiff, b"MM": _tiff}
