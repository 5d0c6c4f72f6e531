"""A mask holds labels: what is marked doesn't depend on the kind of file."""

import io
import struct
import warnings

import cv2
import numpy as np
import PIL.Image
import pytest
import tifffile

from inspector.errors import ImageError
from inspector.images import mask

WIDE = (40, 24)
MARKED = np.zeros(WIDE[::-1], np.bool_)
MARKED[3:9, 5:20] = True
UINT8 = MARKED.astype(np.uint8)


def pillow(mode, values, kind="PNG", **options):
    file = io.BytesIO()
    PIL.Image.fromarray(values, mode).save(file, kind, **options) if mode else PIL.Image.fromarray(
        values
    ).save(file, kind, **options)
    return file.getvalue()


def palette(colours, **options):
    made = PIL.Image.fromarray(UINT8).convert("L")
    made = PIL.Image.frombytes("P", WIDE, made.tobytes())
    made.putpalette(colours)
    file = io.BytesIO()
    made.save(file, "PNG", **options)
    return file.getvalue()


def tiff(values, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def png(values):
    return cv2.imencode(".png", values)[1].tobytes()


def rgba(depth):
    values = np.zeros((*MARKED.shape, 4), depth)
    values[MARKED] = (1, 1, 1, np.iinfo(depth).max)
    return values


COLOURS = np.zeros((3, 256), np.uint16)
COLOURS[0, 1] = 300
KINDS = {
    "grey 0/255": png(UINT8 * 255),
    "grey labels": png(UINT8 * 3),
    "16 bit labels": png(UINT8.astype(np.uint16)),
    "1 bit": pillow("", MARKED),
    "RGB": png(np.stack([UINT8, UINT8 * 0, UINT8 * 0], 2)),
    "48 bit RGB": png(np.stack([UINT8, UINT8 * 0, UINT8 * 0], 2).astype(np.uint16)),
    "transparent background": png(rgba(np.uint8)),
    "16 bit transparent background": png(rgba(np.uint16)),
    "grey with alpha": pillow("", np.stack([UINT8, UINT8 * 200], 2)),
    "opaque": png(np.dstack([UINT8 * 255] * 3 + [np.full_like(UINT8, 255)])),
    "palette": palette([0, 0, 0, 128, 0, 0]),
    "palette with transparent background": palette([0, 0, 0, 128, 0, 0], transparency=0),
    "palette, white first": pillow("", UINT8 * 255),
    "BMP": pillow("", UINT8 * 255, "BMP"),
    "1 bit BMP": pillow("", MARKED, "BMP"),
    "JPEG": pillow("", UINT8 * 255, "JPEG", quality=80),
    "JPEG in colour": pillow("", np.dstack([UINT8 * 255] * 3), "JPEG", quality=95, subsampling=0),
    "WebP": pillow("", np.dstack([UINT8 * 255] * 3), "WEBP", lossless=True),
    "TIFF labels": tiff(UINT8.astype(np.uint16)),
    "TIFF floats": tiff(UINT8.astype(np.float32)),
    "TIFF 48 bit": tiff(np.dstack([UINT8.astype(np.uint16)] * 3), photometric="rgb"),
    "TIFF, white is 0": tiff(255 - UINT8 * 255, photometric="miniswhite"),
    "TIFF 1 bit": pillow("", MARKED, "TIFF"),
    "TIFF signed": tiff(UINT8.astype(np.int32)),
    "TIFF with alpha": tiff(rgba(np.uint8), photometric="rgb", extrasamples=["unassalpha"]),
    "TIFF palette": tiff(UINT8, photometric="palette", colormap=COLOURS),
    "TIFF, 16 bit, white is 0": tiff(65535 - UINT8.astype(np.uint16), photometric="miniswhite"),
    "TIFF planes": tiff(np.stack([UINT8] * 3), photometric="rgb", planarconfig="separate"),
}


JPEG = pillow("", np.random.default_rng(1).integers(0, 256, (*MARKED.shape, 3)).astype(np.uint8), "JPEG")


def in_a_loop(data):
    """The same TIFF whose first directory is followed by itself."""
    changed = bytearray(data)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        end = page.offset + 2 + 12 * struct.unpack_from("<H", data, page.offset)[0]
        struct.pack_into("<I", changed, end, page.offset)
    return bytes(changed)


LOOP = in_a_loop(tiff(np.dstack([UINT8.astype(np.uint16)] * 3), photometric="rgb"))


@pytest.fixture
def image(tmp_path):
    def write(turn=1, size=WIDE):
        made = PIL.Image.new("RGB", size, "grey")
        exif = PIL.Image.Exif()
        exif[0x0112] = turn
        made.save(tmp_path / "image.jpg", exif=exif)
        return tmp_path / "image.jpg"

    return write


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_marked_is_the_same_in_every_kind_of_file(kind, image, tmp_path):
    file = tmp_path / "mask"
    file.write_bytes(KINDS[kind])
    found = mask.read(file, image(), WIDE)
    assert found.dtype == np.bool_
    if kind.startswith("JPEG"):
        assert (found != MARKED).mean() < 0.02
    else:
        np.testing.assert_array_equal(found, MARKED)


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_mask_drawn_over_the_stored_pixels_is_turned_with_its_image(turn, image, tmp_path):
    (tmp_path / "mask.png").write_bytes(png(UINT8))
    size = WIDE if turn < 5 else WIDE[::-1]
    if turn in (2, 3, 4):  # the shape doesn't tell
        with pytest.raises(ImageError, match="can't be told"):
            mask.read(tmp_path / "mask.png", image(turn), size)
        return
    exif = PIL.Image.Exif()
    exif[0x0112] = turn
    wanted = PIL.Image.fromarray(UINT8)
    wanted.getexif()[0x0112] = turn
    wanted = PIL.ImageOps.exif_transpose(wanted)
    np.testing.assert_array_equal(mask.read(tmp_path / "mask.png", image(turn), size), np.asarray(wanted) > 0)


@pytest.mark.parametrize("turn", [5, 6, 7, 8])
def test_an_upright_mask_beside_a_turned_image_stays_upright(turn, image, tmp_path):
    (tmp_path / "mask.png").write_bytes(png(UINT8.T.copy()))
    np.testing.assert_array_equal(mask.read(tmp_path / "mask.png", image(turn), WIDE[::-1]), MARKED.T)


def test_a_mask_that_is_turned_by_its_own_tag_is_turned_once(image, tmp_path):
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.fromarray(UINT8 * 255).save(tmp_path / "mask.png", exif=exif)
    found = mask.read(tmp_path / "mask.png", image(6), WIDE[::-1])
    np.testing.assert_array_equal(found, np.rot90(MARKED, -1))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (png(UINT8[:, :20].copy()), "20 × 24 pixels, its image 40 × 24"),
        (png(UINT8.T.copy()), "24 × 40 pixels, its image 40 × 24"),
        (png(np.dstack([UINT8 * 0 + 255] * 3 + [UINT8 * 255])), "marks every pixel"),
        (palette([255, 255, 255, 128, 0, 0], transparency=0), "marks every pixel"),
        (png(UINT8)[:-30], "ends too early"),
        (LOOP, "is damaged"),
        (tiff(UINT8, tile=(16, 16))[:-100], "ends too early"),
        (JPEG[: len(JPEG) // 2] + b"\xff\xd9", "is damaged"),
        (tiff(np.dstack([UINT8] * 4 + [UINT8]), photometric="rgb"), "5 channels"),
        (tiff(np.stack([UINT8, UINT8]), photometric="minisblack"), "several pages"),
        (b"", "empty"),
        (b"no picture at all", "not an image"),
    ],
)
def test_a_mask_that_can_not_be_trusted_is_refused_by_name(data, said, image, tmp_path):
    (tmp_path / "mask.png").write_bytes(data)
    with pytest.raises(ImageError, match=said) as raised:
        mask.read(tmp_path / "mask.png", image(), WIDE)
    assert "mask.png" in raised.value.message
    assert raised.value.hint


def test_an_empty_mask_marks_nothing_also_as_jpeg(image, tmp_path):
    for kind in ("PNG", "JPEG"):
        (tmp_path / "mask").write_bytes(pillow("", UINT8 * 0, kind))
        assert not mask.read(tmp_path / "mask", image(3), WIDE).any()


def test_the_smear_around_the_labels_of_a_jpeg_in_a_tiff_is_no_defect(image, tmp_path):
    values = np.dstack([UINT8 * 255] * 3)
    (tmp_path / "mask").write_bytes(tiff(values, photometric="rgb", compression="jpeg", tile=(16, 16)))
    assert (mask.read(tmp_path / "mask", image(), WIDE) != MARKED).mean() < 0.02


@pytest.mark.parametrize("compression", [None, "lzw"])
def test_a_strip_that_is_missing_from_a_tiff_is_not_taken_for_unmarked(compression, image, tmp_path):
    data = bytearray(tiff(UINT8 * 255, rowsperstrip=12, compression=compression))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        struct.pack_into("<I", data, file.pages[0].tags[273].valueoffset + 4, 0)
    (tmp_path / "mask").write_bytes(data)
    with pytest.raises(ImageError, match="can't be decoded"):
        mask.read(tmp_path / "mask", image(), WIDE)


def test_no_mask_makes_a_library_warn(image, tmp_path, monkeypatch):
    """Neither of its size nor of notes in it that are broken."""
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 100)
    broken = PIL.Image.fromarray(UINT8 * 255)
    broken.save(tmp_path / "mask.png", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = mask.read(tmp_path / "mask.png", image(6), WIDE[::-1])
    np.testing.assert_array_equal(found, np.rot90(MARKED, -1))
    assert caught == []


def test_a_mask_is_read_by_the_turn_of_its_image_or_not_at_all(image, tmp_path):
    (tmp_path / "mask.png").write_bytes(png(UINT8))
    gone = image(6)
    gone.unlink()
    with pytest.raises(ImageError, match="no longer there"):
        mask.read(tmp_path / "mask.png", gone, WIDE[::-1])
