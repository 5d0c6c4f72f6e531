from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from inspector.errors import ImageError
from inspector.images.thumbnail import thumbnail


@pytest.fixture
def source(tmp_path: Path) -> Path:
    ramp = np.tile(np.linspace(0, 255, 600).astype(np.uint8)[None, :, None], (200, 1, 3))
    path = tmp_path / "ramp.png"
    Pillow.fromarray(ramp).save(path)
    return path


def test_the_longer_side_fits_and_proportions_stay(source: Path, tmp_path: Path) -> None:
    small = thumbnail(source, 120, tmp_path / "cache")
    assert small.shape == (40, 120, 3)
    assert abs(int(small[20, 60, 0]) - 127) < 3


def test_a_small_image_is_never_enlarged(source: Path, tmp_path: Path) -> None:
    assert thumbnail(source, 900, tmp_path / "cache").shape == (200, 600, 3)


def test_it_is_kept_by_content_so_a_copy_and_a_known_hash_need_no_decoding(
    source: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    first = thumbnail(source, 96, cache)
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(source.read_bytes())
    np.testing.assert_array_equal(thumbnail(copy, 96, cache), first)
    kept = list(cache.rglob("*.png"))
    assert len(kept) == 1
    digest = kept[0].name.split("-")[0]
    np.testing.assert_array_equal(thumbnail(tmp_path / "gone.png", 96, cache, sha256=digest), first)
    thumbnail(source, 48, cache)
    assert len(list(cache.rglob("*.png"))) == 2


def test_a_damaged_cache_file_is_made_again(source: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = thumbnail(source, 96, cache)
    next(cache.rglob("*.png")).write_bytes(b"half a fi")
    np.testing.assert_array_equal(thumbnail(source, 96, cache), first)


def test_a_cache_that_cannot_be_written_still_gives_the_thumbnail(source: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert thumbnail(source, 96, tmp_path / "cache").shape == (32, 96, 3)


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no longer there"):
        thumbnail(tmp_path / "gone.png", 96, tmp_path / "cache")
    (tmp_path / "bad.png").write_bytes(b"")
    with pytest.raises(ImageError, match="empty"):
        thumbnail(tmp_path / "bad.png", 96, tmp_path / "cache")
