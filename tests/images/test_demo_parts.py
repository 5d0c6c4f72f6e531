from pathlib import Path

import cv2
import numpy as np
import pytest

from inspector.images.demo.parts import DEFECTS, KINDS, draw, write_demo
from inspector.images.read import read

EVERY = [(kind, defect) for kind in KINDS for defect in DEFECTS[kind]]


def test_there_are_at_least_three_kinds_with_four_defects_each() -> None:
    assert len(KINDS) >= 3
    assert all(len(DEFECTS[kind]) >= 4 for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_part_has_an_empty_mask_and_honest_tones(kind: str) -> None:
    pixels, mask = draw(kind, 3, size=256)
    assert pixels.shape == (256, 256, 3)
    assert pixels.dtype == mask.dtype == np.uint8
    assert not mask.any()
    assert 40 < pixels.mean() < 215
    assert (pixels == 255).all(-1).mean() < 0.02  # hardly anything is burnt out


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_draws_the_same_picture_and_another_seed_another(kind: str) -> None:
    first, again, other = draw(kind, 5, size=128)[0], draw(kind, 5, size=128)[0], draw(kind, 6, size=128)[0]
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 3


@pytest.mark.parametrize(("kind", "defect"), EVERY)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_defective_part_differs_from_its_good_twin_where_the_mask_says(
    kind: str, defect: str, seed: int
) -> None:
    good, _ = draw(kind, seed, size=256)
    bad, mask = draw(kind, seed, defect, size=256)
    assert set(np.unique(mask)) == {0, 255}
    assert 12 <= (mask > 0).sum() < 0.12 * mask.size
    change = np.abs(bad.astype(int) - good).max(-1)
    near = cv2.dilate(mask, np.ones((13, 13), np.uint8)) > 0  # a shadow may fall a little beside it
    changed = change > 12
    assert changed.sum() > 10
    assert (changed & near).sum() > 0.85 * changed.sum()
    assert np.median(change[mask > 0]) > 4
    assert change[cv2.dilate(mask, np.ones((61, 61), np.uint8)) == 0].mean() < 1


def test_an_unknown_kind_or_defect_is_refused() -> None:
    with pytest.raises(KeyError):
        draw("teapot", 0)
    with pytest.raises(KeyError):
        draw("washer", 0, "thread")


def test_write_demo_makes_a_whole_tree_that_the_reader_reads(tmp_path: Path) -> None:
    write_demo(tmp_path / "one", shots=2, good=1, defective=5, size=96)
    for kind in KINDS:
        assert len(list((tmp_path / "one" / kind / "train/good").iterdir())) == 2
        assert len(list((tmp_path / "one" / kind / "test/good").iterdir())) == 1
        bad = sorted(p for p in (tmp_path / "one" / kind / "test").rglob("*.png") if p.parent.name != "good")
        assert len(bad) == 5
        assert {p.parent.name for p in bad} == set(DEFECTS[kind])
        for path in bad:
            mask = tmp_path / "one" / kind / "ground_truth" / path.parent.name / f"{path.stem}_mask.png"
            assert read(mask).size == read(path).size == (96, 96)
    write_demo(tmp_path / "two", shots=2, good=1, defective=5, size=96)
    for path in (tmp_path / "one").rglob("*.png"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()
