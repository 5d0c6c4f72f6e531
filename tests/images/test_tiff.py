import io
import struct

import numpy as np
import pytest
import tifffile
from encoded_images import RGB, encoded, tiff
from PIL import Image as Pillow

from inspector.errors import ImageError
from inspector.images.read import decode

GREY = RGB[..., 0]


def edited(data: bytes, tag: int, values: list[int], *, page: int = 0) -> bytes:
    """The same file with other numbers in a tag, as many or fewer."""
    changed = bytearray(data)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        found = file.pages[page].tags[tag]
        layout = file.byteorder + {3: "H"}.get(found.dtype, "I") * len(values)
        struct.pack_into(layout, changed, found.valueoffset, *values)
        struct.pack_into(file.byteorder + "I", changed, found.offset + 4, len(values))
    return bytes(changed)


def without(data: bytes, tag: int) -> bytes:
    """The same file with a private tag in the place of one."""
    changed = bytearray(data)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        struct.pack_into(file.byteorder + "H", changed, file.pages[0].tags[tag].offset, 65000)
    return bytes(changed)


def pages(data: bytes) -> list[int]:
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        return [page.offset for page in file.pages]


@pytest.mark.parametrize("compression", ["zlib", "lzw", "packbits", "deflate", None])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_tiff_compressions_and_planes_agree(compression: str | None, planar: str) -> None:
    pixels = RGB if planar == "contig" else np.moveaxis(RGB, -1, 0)
    data = tiff(np.ascontiguousarray(pixels), photometric="rgb", planarconfig=planar, compression=compression)
    np.testing.assert_array_equal(decode(data, "a.tif").pixels, RGB)


def test_a_jpeg_compressed_tiff_has_the_right_colours() -> None:
    colour = np.full((64, 64, 3), (200, 60, 20), np.uint8)
    image = decode(tiff(colour, photometric="rgb", compression="jpeg", tile=(32, 32)), "a.tif")
    assert np.abs(image.pixels.astype(int) - colour).max() < 8


def test_big_and_big_endian_tiffs_are_read() -> None:
    for options in ({"bigtiff": True}, {"byteorder": ">"}):
        np.testing.assert_array_equal(decode(tiff(RGB, photometric="rgb", **options), "a.tif").pixels, RGB)


def test_a_tiff_that_states_12_significant_bits_is_stretched_by_them() -> None:
    deep = np.linspace(0, 4095, 1024).astype(np.uint16).reshape(32, 32)
    stated = decode(tiff(deep, extratags=[(281, 3, 1, 4095, True)]), "a.tif")
    packed = decode(tiff(deep, bitspersample=12), "b.tif")
    np.testing.assert_array_equal(stated.pixels[..., 1], np.rint(deep * (255 / 4095)))
    np.testing.assert_array_equal(packed.pixels, stated.pixels)


def test_white_is_zero_tiffs_are_inverted() -> None:
    grey = RGB[..., 0]
    np.testing.assert_array_equal(
        decode(tiff(grey, photometric="miniswhite"), "a").pixels[..., 2], 255 - grey
    )


def test_an_imagej_stack_is_refused() -> None:
    with pytest.raises(ImageError, match="4 frames"):
        decode(tiff(np.zeros((4, 32, 32), np.uint8), imagej=True), "stack.tif")


def test_a_thumbnail_page_in_a_tiff_is_no_second_frame() -> None:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(RGB, photometric="rgb")
        writer.write(RGB[::2, ::2], photometric="rgb", subfiletype=1)
    np.testing.assert_array_equal(decode(buffer.getvalue(), "a.tif").pixels, RGB)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint32, np.int16])
def test_values_without_a_fixed_white_are_refused(dtype: type) -> None:
    with pytest.raises(ImageError, match=r"bit .* values"):
        decode(tiff(np.ones((32, 32), dtype)), "float.tif")


@pytest.mark.parametrize("bits", [2, 4, 10, 12, 14])
def test_packed_values_use_their_own_range(bits: int) -> None:
    values = np.linspace(0, 2**bits - 1, 32 * 41).astype(np.uint8 if bits < 8 else np.uint16).reshape(32, 41)
    image = decode(tiff(values, bitspersample=bits), "packed.tif")
    np.testing.assert_array_equal(image.pixels[..., 0], np.rint(values * (255 / (2**bits - 1))))
    assert image.mode == f"grey {bits} bit"
    assert not image.note


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_lzw", "packbits", "tiff_adobe_deflate"])
def test_black_and_white_scans_are_read(compression: str) -> None:
    scan = Pillow.fromarray(GREY > 100)
    image = decode(encoded(scan, "TIFF", compression=compression), "scan.tif")
    np.testing.assert_array_equal(image.pixels[..., 1], np.asarray(scan) * 255)


@pytest.mark.parametrize("top", [65535, 255])
def test_a_palette_may_have_16_or_8_bit_entries(top: int) -> None:
    colours = np.linspace(0, top, 3 * 256).reshape(3, 256).astype(np.uint16)
    data = tiff(GREY, photometric="palette", colormap=colours)
    shown = colours if top == 255 else colours >> 8
    np.testing.assert_array_equal(decode(data, "a.tif").pixels, shown.T[GREY])


def test_a_one_bit_palette_shows_its_colours() -> None:
    colours = np.array([[0, 65535], [0, 0], [65535, 0]], np.uint16)
    data = tiff(
        np.packbits(GREY > 100, axis=1), photometric="palette", colormap=np.zeros((3, 256), np.uint16)
    )
    for tag, values in ((256, [48]), (258, [1]), (320, colours.ravel().tolist())):
        data = edited(data, tag, values)
    image = decode(data, "a.tif")
    np.testing.assert_array_equal(image.pixels, (colours >> 8).T[(GREY > 100).astype(int)])


def test_a_palette_that_is_too_short_or_no_palette_is_refused() -> None:
    whole = tiff(GREY, photometric="palette", colormap=np.zeros((3, 256), np.uint16))
    for tag, values in ((320, [0] * 3 * 16), (258, [0])):
        with pytest.raises(ImageError, match=r"odd\.tif"):
            decode(edited(whole, tag, values), "odd.tif")


def four(extra: str, colours: np.ndarray = RGB) -> bytes:
    share = np.linspace(0, 255, 48).astype(np.uint8) * np.ones((32, 1), np.uint8)
    return tiff(np.dstack([colours, share]), photometric="rgb", extrasamples=[extra])


def test_alpha_is_applied_once_whether_or_not_the_colours_have_it_in_them() -> None:
    share = np.linspace(0, 255, 48).astype(np.uint8)[None, :, None] / 255
    inside = np.rint(RGB * share).astype(np.uint8)
    straight = decode(four("unassalpha"), "a.tif")
    premultiplied = decode(four("assocalpha", inside), "b.tif")
    assert np.abs(straight.pixels - (RGB * share + 128 * (1 - share))).max() <= 0.51
    assert np.abs(straight.pixels.astype(int) - premultiplied.pixels).max() <= 1
    assert straight.mode == premultiplied.mode == "RGB with alpha 8 bit"


def test_a_fourth_channel_of_unknown_meaning_is_no_alpha_and_said_to_be_unseen() -> None:
    image = decode(four("unspecified"), "a.tif")
    np.testing.assert_array_equal(image.pixels, RGB)
    assert "not looked at" in image.note


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("channels", [2, 3, 5])
def test_channels_that_nobody_would_see_are_refused(planar: str, channels: int) -> None:
    values = np.zeros((32, 48, channels) if planar == "contig" else (channels, 32, 48), np.uint8)
    with pytest.raises(ImageError, match=f"{channels} channels"):
        decode(tiff(values, photometric="minisblack", planarconfig=planar), "spectral.tif")


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "packbits", "jpeg", "zstd"])
def test_a_strip_that_is_missing_or_cut_is_never_filled_in(compression: str | None) -> None:
    data = tiff(RGB, photometric="rgb", compression=compression, rowsperstrip=16)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        counts = list(file.pages[0].tags[279].value)
        offsets = list(file.pages[0].tags[273].value)
    decode(data, "whole.tif")
    with pytest.raises(ImageError, match=r"damaged|truncated"):
        decode(without(data, 273), "odd.tif")
    with pytest.raises(ImageError, match=r"damaged|truncated"):
        decode(edited(edited(data, 257, [64]), 278, [16]), "two of four strips.tif")
    for tag, values in (
        (279, [counts[0], 0]),
        (279, [counts[0], counts[1] // 2]),
        (273, [offsets[0], 0]),
        (273, [offsets[0], len(data)]),
    ):
        with pytest.raises(ImageError, match=r"damaged|truncated"):
            decode(edited(data, tag, values), "odd.tif")


def test_a_jpeg_strip_that_is_all_there_is_fills_no_more_than_its_rows() -> None:
    data = tiff(RGB, photometric="rgb", compression="jpeg", rowsperstrip=16)
    with pytest.raises(ImageError, match="damaged"):
        decode(without(data, 278), "half of it.tif")


@pytest.mark.parametrize("compression", ["lzw", "zlib"])
def test_a_single_strip_without_its_length_is_read_to_its_end(compression: str) -> None:
    data = tiff(RGB, photometric="rgb", compression=compression)
    np.testing.assert_array_equal(decode(edited(data, 279, [0]), "scanner.tif").pixels, RGB)


def test_damaged_inks_are_refused() -> None:
    data = encoded(Pillow.fromarray(RGB).convert("CMYK"), "TIFF", compression="tiff_lzw")
    assert decode(data, "whole.tif").mode == "CMYK 8 bit"
    with pytest.raises(ImageError, match=r"damaged|truncated"):
        decode(edited(data, 279, [100]), "odd.tif")


def stack(*, sub: bool) -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(RGB[::4, ::4], photometric="rgb", subfiletype=1, subifds=1 if sub else None)
        writer.write(RGB, photometric="rgb")
    return buffer.getvalue()


@pytest.mark.parametrize("sub", [True, False])
def test_the_picture_is_read_and_not_the_thumbnail_that_comes_first(sub: bool) -> None:
    np.testing.assert_array_equal(decode(stack(sub=sub), "camera.tif").pixels, RGB)


def test_a_thumbnail_that_does_not_say_so_is_told_by_its_size() -> None:
    for picture, other in ((RGB, RGB[::2, ::2]), (RGB[::2, ::2], RGB)):
        buffer = io.BytesIO()
        with tifffile.TiffWriter(buffer) as writer:
            writer.write(picture, photometric="rgb", subifds=1)
            writer.write(other, photometric="rgb")
        np.testing.assert_array_equal(decode(buffer.getvalue(), "a.tif").pixels, RGB)


def test_a_stack_cut_short_is_never_read_as_one_page() -> None:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for shift in range(3):
            writer.write(np.roll(RGB, shift, 0), photometric="rgb")
    data = buffer.getvalue()
    for length in range(100, len(data), 97):
        with pytest.raises(ImageError, match=r"damaged|truncated|3 frames"):
            decode(data[:length], "cut.tif")


@pytest.mark.parametrize("back_to", [0, 1])
def test_directories_that_lead_in_a_circle_end(back_to: int) -> None:
    data = bytearray(stack(sub=False))
    offsets = pages(bytes(data))
    (count,) = struct.unpack_from("<H", data, offsets[1])
    struct.pack_into("<I", data, offsets[1] + 2 + 12 * count, offsets[back_to])
    with pytest.raises(ImageError, match="damaged"):
        decode(bytes(data), "circle.tif")


def test_a_directory_filed_under_itself_is_passed_over() -> None:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(RGB, photometric="rgb", subifds=1)
        writer.write(RGB[::2, ::2], photometric="rgb")
    data = buffer.getvalue()
    np.testing.assert_array_equal(decode(edited(data, 330, pages(data)), "self.tif").pixels, RGB)


def test_tiles_of_one_pixel_and_tiles_of_a_gigabyte_are_refused() -> None:
    tiles = tiff(np.zeros((1024, 1024), np.uint8), tile=(16, 16))
    for tag in (322, 323):
        for side in (0, 2**24):
            with pytest.raises(ImageError, match=r"damaged|truncated"):
                decode(edited(tiles, tag, [side]), "odd.tif")
    one = edited(edited(tiles, 322, [1]), 323, [1])
    with pytest.raises(ImageError, match=r"damaged|truncated"):
        decode(one, "one.tif")


@pytest.mark.parametrize("compression", ["png", "jpegxl", "jpeg2000"])
def test_an_unusual_compression_is_named(compression: str) -> None:
    with pytest.raises(ImageError, match="compression; such files are not read"):
        decode(tiff(RGB, photometric="rgb", compression=compression), "odd.tif")


def test_a_given_white_is_full_scale_and_never_above_what_the_file_can_hold() -> None:
    deep = np.linspace(0, 4095, 1024).astype(np.uint16).reshape(32, 32)
    for data in (tiff(deep), encoded(Pillow.fromarray(deep), "PNG"), tiff(deep, bitspersample=12)):
        image = decode(data, "a", white=4095)
        np.testing.assert_array_equal(image.pixels[..., 1], np.rint(deep * (255 / 4095)))
        assert not image.note
        assert decode(data, "a", white=1000).pixels.max() == 255
    packed = decode(tiff(deep, bitspersample=12), "a", white=65535)
    np.testing.assert_array_equal(packed.pixels[..., 1], np.rint(deep * (255 / 4095)))
    np.testing.assert_array_equal(decode(tiff(GREY), "a", white=4095).pixels[..., 0], GREY)


def test_values_that_leave_few_grey_levels_are_said_to() -> None:
    image = decode(tiff(GREY.astype(np.uint16) * 16), "a.tif")
    assert image.mode == "grey 16 bit, 12 used"
    assert "of 256 grey levels" in image.note
    assert not decode(tiff(GREY.astype(np.uint16) * 200), "a.tif").note
