"""What files of more than 8 bits say of their range, and what a chosen range says of them."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from inspector.images.read import decode


def png(values: np.ndarray, bits: int | None = None) -> bytes:
    """A PNG, with an sBIT chunk that names so many significant bits."""
    data = cv2.imencode(".png", values)[1].tobytes()
    if bits is None:
        return data
    body = b"sBIT" + bytes([bits])
    return data[:33] + struct.pack(">I", 1) + body + struct.pack(">I", zlib.crc32(body)) + data[33:]


RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)


def test_a_png_that_leaves_its_significant_bits_where_they_were_is_read_in_their_range():
    image = decode(png(RAMP, 12), "a.png")
    assert image.white == 4095
    assert (image.pixels.max(), len(np.unique(image.pixels))) == (255, 256)
    assert image.note == ""


@pytest.mark.parametrize("spread", [RAMP << 4, RAMP << 4 | RAMP >> 8])
def test_a_png_whose_significant_bits_are_spread_over_all_sixteen_keeps_the_whole_range(spread):
    assert decode(png(spread, 12), "a.png").white == 65535
    night = np.where(RAMP < 200, spread, 0).astype(np.uint16)  # little light makes no other range
    assert decode(png(night, 12), "a.png").white == 65535


@pytest.mark.parametrize("bits", [0, 8, 16, 200])
def test_a_png_that_says_nothing_useful_of_its_bits_keeps_the_whole_range(bits):
    assert decode(png(RAMP, bits), "a.png").white == 65535


def test_what_a_file_is_stays_the_same_whatever_range_it_is_read_in():
    modes = {decode(png(RAMP), "a.png", white=white).mode for white in (None, 1023, 4095, 65535)}
    assert modes == {"grey 16 bit, 12 used"}


def test_values_of_exactly_a_quarter_of_the_range_count_as_fourteen_bits():
    full = np.linspace(0, 16383, 4096).astype(np.uint16).reshape(64, 64)
    assert decode(png(full), "a.png").mode == "grey 16 bit, 14 used"


def test_clipped_pixels_are_counted_once_whatever_their_colours():
    values = np.full((10, 20, 3), 1000, np.uint16)
    values[0, :2] = 5000
    values[1, 0, 2] = 4096
    image = decode(png(values), "a.png", white=4095)
    assert (
        image.note == "1.5 % of its pixels are brighter than 4,095, where its range ends, and read as white."
    )
    big = np.full((100, 100, 3), 1000, np.uint16)
    big[0, :4, 1] = 4096
    assert decode(png(big), "a.png", white=4095).note.startswith("less than 0.1 % of its pixels")


def test_a_range_makes_no_difference_to_files_of_eight_bits():
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = decode(png(values), "a.png", white=1023)
    assert image.white is None
    np.testing.assert_array_equal(image.pixels[..., 0], values)
