import io
import struct

import numpy as np
import pytest
from encoded_images import RGB, encoded
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from inspector.errors import ImageError
from inspector.images import formats
from inspector.images.read import decode

PART = np.kron(RGB, np.ones((6, 6, 1), np.uint8))  # 288 × 192
PART[::7, ::5] ^= 63


def test_a_jpeg_is_close_to_its_pixels() -> None:
    image = decode(encoded(Pillow.fromarray(RGB), "JPEG", quality=97, subsampling=0), "a.jpg")
    assert np.abs(image.pixels.astype(int) - RGB).max() < 12


def test_a_truncated_jpeg_with_an_embedded_thumbnail_is_still_called_truncated() -> None:
    thumbnail = encoded(Pillow.fromarray(RGB), "JPEG")
    picture = encoded(Pillow.fromarray(np.kron(RGB, np.ones((4, 4, 1), np.uint8))), "JPEG")
    inside = b"Exif\0\0" + thumbnail
    data = picture[:2] + b"\xff\xe1" + struct.pack(">H", len(inside) + 2) + inside + picture[2:]
    decode(data, "whole.jpg")
    with pytest.raises(ImageError, match="truncated"):
        decode(data[:-40], "half.jpg")


def entropy_coded(data: bytes) -> int:
    """Where the coded data of the first scan begins."""
    at = data.index(b"\xff\xda")
    return at + 2 + struct.unpack_from(">H", data, at + 2)[0]


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("at_least", [None, 40])
def test_a_jpeg_cut_inside_is_refused_though_it_ends_as_it_should(
    progressive: bool, at_least: int | None
) -> None:
    whole = encoded(Pillow.fromarray(PART), "JPEG", quality=90, progressive=progressive)
    decode(whole, "whole.jpg", at_least=at_least)
    start = entropy_coded(whole)
    for share in (0.3, 0.6, 0.9):
        cut = whole[: start + int((len(whole) - start) * share)].rstrip(b"\xff") + b"\xff\xd9"
        with pytest.raises(ImageError, match=r"damaged|truncated"):
            decode(cut, "cut.jpg", at_least=at_least)


def test_a_block_of_zeros_inside_a_jpeg_is_refused() -> None:
    whole = encoded(Pillow.fromarray(PART), "JPEG", quality=90)
    middle = len(whole) // 2
    with pytest.raises(ImageError, match="damaged"):
        decode(whole[:middle] + bytes(512) + whole[middle + 512 :], "zeros.jpg")


@settings(max_examples=150, deadline=None)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_jpeg_with_a_changed_bit_is_refused_or_changed_in_few_places(where: float, bit: int) -> None:
    data = bytearray(encoded(Pillow.fromarray(PART), "JPEG", quality=90))
    whole = decode(bytes(data), "whole.jpg").pixels.astype(int)
    start = entropy_coded(bytes(data))
    data[start + int(where * (len(data) - start - 2))] ^= 1 << bit
    try:
        changed = decode(bytes(data), "changed.jpg").pixels
    except ImageError:
        return
    assert (changed == 128).all(axis=2).mean() < 0.5  # no grey where rows are missing
    assert whole.shape == changed.shape


@pytest.mark.parametrize(
    ("what", "old", "new"),
    [
        ("an odd JFIF version", b"JFIF\0\1\1", b"JFIF\0\3\7"),
        ("nonsense for a progression in a sequential scan", b"\0\x3f\0", b"\0\0\0"),
    ],
)
def test_what_cameras_get_wrong_around_a_whole_picture_is_passed_over(
    what: str, old: bytes, new: bytes
) -> None:
    data = encoded(Pillow.fromarray(PART), "JPEG", quality=90)
    assert old in data, what
    odd = data.replace(old, new, 1)
    np.testing.assert_array_equal(decode(odd, "odd.jpg").pixels, decode(data, "whole.jpg").pixels)
    start = entropy_coded(odd)
    with pytest.raises(ImageError, match="damaged"):
        decode(odd[: start + 3000].rstrip(b"\xff") + b"\xff\xd9", "odd and cut.jpg")


def test_zeros_before_the_end_and_anything_after_it_are_passed_over() -> None:
    data = encoded(Pillow.fromarray(PART), "JPEG", quality=90, icc_profile=b"broken" * 9)
    whole = decode(data, "whole.jpg").pixels
    film = b"\0\0\0\x18ftypmp42" + b"\xff\xda" * 400
    for odd in (data[:-2] + bytes(40) + data[-2:], data + film):
        np.testing.assert_array_equal(decode(odd, "odd.jpg").pixels, whole)


def test_a_jpeg_of_thousands_of_passes_is_refused_before_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = encoded(Pillow.fromarray(PART), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    monkeypatch.setattr(formats, "decode_pixels", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(ImageError, match=r"4,0\d\d passes"):
        decode(data[:-2] + scan * 4000 + data[-2:], "endless.jpg")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "layout"), [(3, "HH"), (4, "I"), (1, "BBH")])
def test_the_exif_turn_is_read_in_either_byte_order_and_as_any_whole_number(
    order: str, kind: int, layout: str
) -> None:
    value = struct.pack(order + layout, 6, *[0] * (len(layout) - 1))
    mark = b"II*\0" if order == "<" else b"MM\0*"
    exif = mark + struct.pack(order + "IHHHI", 8, 1, 0x0112, kind, 1) + value + bytes(4)
    buffer = io.BytesIO()
    Pillow.fromarray(PART).save(buffer, "JPEG", exif=b"Exif\0\0" + exif)
    assert decode(buffer.getvalue(), "turned.jpg").size == (192, 288)
