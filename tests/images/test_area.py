"""Which part of a picture is inspected."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.errors import ImageError
from inspector.images.area import MOST_POLYGONS, PAINT, Area, as_file, load

SQUARE = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
SMALL = ((0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6))
SHARES = st.floats(0, 1, allow_nan=False)
BOXES = st.tuples(SHARES, SHARES, SHARES, SHARES).map(
    lambda c: ((c[0], c[1]), (c[2], c[1]), (c[2], c[3]), (c[0], c[3]))
)


def test_without_a_region_everything_is_inspected_but_what_is_ignored() -> None:
    assert Area().mask((40, 60)).all()
    inside = Area(ignored=(SQUARE,)).mask((40, 60))
    assert not inside[20, 30]
    assert inside[5, 5]
    assert inside.mean() == pytest.approx(0.75, abs=0.06)


def test_what_is_ignored_is_so_within_a_region_too() -> None:
    area = Area((SQUARE,), (SMALL,))
    inside = area.mask((100, 200))
    assert not inside[50, 100]
    assert inside[30, 60]
    assert not inside[5, 5]
    assert area.share == pytest.approx(0.25 - 0.04, abs=0.01)


@settings(max_examples=60, deadline=None)
@given(st.lists(BOXES, max_size=3), st.lists(BOXES, max_size=3))
def test_an_area_comes_back_from_json_as_it_was(inspected: list[Any], ignored: list[Any]) -> None:
    area = Area(tuple(inspected), tuple(ignored))
    written = json.loads(json.dumps(area.as_json()))
    if area.share < 0.001:
        with pytest.raises(ImageError, match="Nearly nothing"):
            Area.from_json(written)
    else:
        assert Area.from_json(written) == area
        assert Area.from_json(written).key == area.key
        large, small = area.mask((400, 300)).mean(), area.mask((100, 75)).mean()
        assert abs(large - small) < 0.12  # the same part of a picture of another size


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "everything",
        {"inspect": "all"},
        {"inspect": [[[0.1, 0.1], [0.9, 0.9]]]},
        {"inspect": [[[0.1, 0.1], [0.9, 0.1], [0.5, 1.2]]]},
        {"inspect": [[[0.1, 0.1], [0.9, 0.1], [0.5, float("nan")]]]},
        {"inspect": [[[0.1, 0.1], [0.9, 0.1], [0.5, True]]]},
        {"inspect": [[[0.1, 0.1], [0.9, 0.1], [0.5]]]},
        {"inspect": [[[0.1, 0.1]] * 5000]},
        {"inspect": [[[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]] * 200},
        {"skip": []},
        {"inspect": [[[0.1, 0.1], [10**400, 0.1], [0.5, 0.9]]]},
    ],
)
def test_what_is_no_area_is_refused_with_a_sentence(value: Any) -> None:
    with pytest.raises(ImageError, match=r"can't be read: .+\.") as caught:
        Area.from_json(value)
    assert caught.value.hint


@pytest.mark.parametrize(
    "area",
    [Area(ignored=(((0, 0), (1, 0), (1, 1), (0, 1)),)), Area((((0.5, 0.5), (0.501, 0.5), (0.5, 0.501)),))],
)
def test_an_area_that_leaves_nearly_nothing_is_refused(area: Area) -> None:
    """Every image would be OK, whatever it shows."""
    with pytest.raises(ImageError, match="Nearly nothing"):
        Area.from_json(area.as_json())


def test_of_names_that_differ_by_case_the_exact_one_is_meant(tmp_path: Path) -> None:
    file = tmp_path / "regions.json"
    file.write_bytes(as_file({"Pair": Area((SQUARE,))}))
    assert load(file, ["pair", "Pair"]) == {"Pair": Area((SQUARE,))}


def test_what_is_not_inspected_is_painted_over_and_the_rest_as_it_was() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (80, 120, 3), np.uint8)
    painted = Area((SQUARE,), (SMALL,)).painted(pixels)
    assert (painted[:15] == PAINT).all()
    assert (painted[35:45, 55:65] == PAINT).all()
    np.testing.assert_array_equal(painted[22:30, 40:80], pixels[22:30, 40:80])


def test_a_picture_painted_small_is_the_one_painted_large_and_shrunk() -> None:
    """Else shots and images of different sizes would differ along every border."""
    flat = np.full((480, 640, 3), 230, np.uint8)
    area = Area((((0.21, 0.33), (0.77, 0.29), (0.5, 0.83)),))
    small = area.painted(flat[:120, :160])
    shrunk = cv2.resize(area.painted(flat), (160, 120), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - shrunk).max() < 30
    assert np.abs(small.astype(int) - shrunk).mean() < 1


@pytest.mark.parametrize("cells", [(60, 60), (45, 80), (240, 240)])
def test_a_thin_stripe_between_ignored_places_is_in_the_mask_at_every_size(cells: tuple[int, int]) -> None:
    rest = (((0, 0), (0.498, 0), (0.498, 1), (0, 1)), ((0.502, 0), (1, 0), (1, 1), (0.502, 1)))
    inside = Area(ignored=rest).mask(cells)
    assert inside.any(axis=1).all()
    assert inside.mean() < 0.1


def test_more_regions_than_are_read_are_refused_before_they_are_kept() -> None:
    with pytest.raises(ImageError, match="more than"):
        Area((SMALL,) * (MOST_POLYGONS + 1)).check()


def test_a_file_holds_the_areas_of_classes_whatever_the_case_of_their_names(tmp_path: Path) -> None:
    file = tmp_path / "regions.json"
    areas = {"Ring": Area((SQUARE,)), "plate": Area(ignored=(SMALL,))}
    file.write_bytes(as_file(areas))
    assert load(file, ["ring", "Plate", "other"]) == {"ring": areas["Ring"], "Plate": areas["plate"]}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "no readable JSON"),
        (b"[1]", "areas of classes"),
        (b"\xff\xfe", "no readable JSON"),
        (b'{"screw": {}}', "screw"),
        (b'{"ring": {"inspect": 5}}', "lists"),
        (b"[" * 100_000, "no readable JSON"),
        (b'{"ring": {}, "ring": {}}', "twice"),
        (b'{"ring": {}, "RING ": {}}', "twice"),
        (b'{"NUT": {}}', "one of several"),
    ],
)
def test_a_file_that_is_none_of_regions_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "regions.json"
    file.write_bytes(content)
    with pytest.raises(ImageError, match=says):
        load(file, ["ring", "nut", "Nut"])
