"""Every method inspects the area of a class that it is told, and nothing else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from viewed_parts import SIZE, detector_of, spotted

from inspector.domain import CancelToken, Image
from inspector.errors import InspectorError
from inspector.features.backbone import Backbone
from inspector.features.tiles import View
from inspector.images.area import Area
from inspector.methods import catalogue, storage

AREA = Area(
    (((0.0, 0.0), (0.6, 0.0), (0.6, 1.0), (0.0, 1.0)),), (((0.1, 0.6), (0.4, 0.6), (0.4, 0.9), (0.1, 0.9)),)
)


@pytest.mark.parametrize("method", list(catalogue.METHODS))
def test_what_lies_outside_changes_nothing_and_what_lies_inside_does(
    method: str, tiny_clip: Backbone, new_part: Callable[..., Image], tmp_path: Path
) -> None:
    made, shots = detector_of(method, tiny_clip, new_part, View(area=AREA))
    good = new_part("plate", 8, SIZE)
    images = [good, spotted(good, 170, 90, 9), spotted(good, 60, 136, 9), spotted(good, 50, 60, 9)]
    plain, beyond, ignored, inside = found = made.score(images, ["plate"] * 4)
    mask = AREA.mask(plain.values.shape)
    assert not plain.values[~mask].any()
    assert plain.values[mask].any()
    for other in (beyond, ignored):
        np.testing.assert_array_equal(other.values, plain.values)
        assert other.image_score == plain.image_score
    assert not np.array_equal(inside.values, plain.values)
    assert inside.image_score != plain.image_score
    storage.save(made, tmp_path / "it")
    again = storage.load(tmp_path / "it", tiny_clip)
    assert again.views == made.views
    for one, other in zip(found, again.score(images, ["plate"] * 4), strict=True):
        np.testing.assert_array_equal(one.values, other.values)
    held_out = made.held_out(shots)["plate"]
    assert all(not one.values[~mask].any() and one.finite for one in held_out)
    made.add_shots("plate", [new_part("plate", 5, SIZE)])
    assert made.taught.memory.count("plate") == 3


def test_an_area_holds_tile_by_tile_too_and_tiles_beside_it_are_not_looked_at(
    tiny_clip: Backbone, new_part: Callable[..., Image]
) -> None:
    made, _ = detector_of("patchcore", tiny_clip, new_part, View(3 * tiny_clip.image_size, AREA))
    good = new_part("plate", 8, SIZE)
    tiles = made.taught.tiles("plate", good)
    everywhere = len(tiles.__class__(tiles.side, tiles.cells, tiles.map_shape).starts)
    assert 0 < len(tiles.starts) < everywhere
    plain, beyond, inside = made.score(
        [good, spotted(good, 170, 90, 9), spotted(good, 50, 60, 9)], ["plate"] * 3
    )
    np.testing.assert_array_equal(beyond.values, plain.values)
    assert inside.image_score > plain.image_score
    assert not plain.values[~AREA.mask(plain.values.shape)].any()


def test_a_picture_that_was_prepared_scores_as_the_whole_one(
    tiny_clip: Backbone, new_part: Callable[..., Image]
) -> None:
    made, _ = detector_of("patchcore", tiny_clip, new_part, View(area=AREA))
    image = new_part("plate", 8, (361, 402))
    small = Image(made.prepare_one(image.pixels, "plate"), image.sha256, image.mode)
    assert small.pixels.size < image.pixels.size
    one, other = made.score([image, small], ["plate", "plate"])
    np.testing.assert_array_equal(one.values, other.values)


def test_the_class_is_found_on_all_of_a_picture(tiny_clip: Backbone, new_part: Callable[..., Image]) -> None:
    made, _ = detector_of("patchcore", tiny_clip, new_part, View(area=AREA))
    images = [new_part(name, 20 + number, SIZE) for number in range(3) for name in ("disc", "plate")]
    found = made.score(images, [None] * 6)
    assert [one.class_name for one in found] == ["disc", "plate"] * 3
    assert not found[1].values[~AREA.mask(found[1].values.shape)].any()
    assert found[0].values.all()


@pytest.mark.parametrize("method", ["patchcore", "subspace", "anomalydino"])
@pytest.mark.parametrize("times", [0, 3])
def test_views_of_a_single_shot_show_the_area_that_was_drawn_on_it(
    method: str, times: int, tiny_clip: Backbone, new_part: Callable[..., Image]
) -> None:
    """Else other parts of the picture would set thresholds that no defect reaches."""
    shot = new_part("plate", 0, SIZE)
    other = shot.pixels.copy()
    other[:, 120:] = np.random.default_rng(0).integers(
        0, 256, (SIZE[0], SIZE[1] - 120, 3)
    )  # what nobody minds
    area = Area((((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),))
    scores = {}
    for name, pixels, only in (("whole", shot.pixels, None), ("area", other, area)):
        pictured = Image(pixels, name, shot.mode)
        made = catalogue.make(method)
        made.views = {"plate": View(times * tiny_clip.image_size, only)}
        made.fit({"plate": [pictured]}, tiny_clip, progress=lambda *_: None, cancel=CancelToken())
        scores[name] = [one.image_score for one in made.held_out({"plate": [pictured]})["plate"]]
    assert 0.4 * np.mean(scores["whole"]) < np.mean(scores["area"]) < 1.25 * np.mean(scores["whole"])


@pytest.mark.parametrize("method", ["patchcore", "subspace", "anomalydino"])
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_flat_picture_is_no_good_part_because_of_what_was_painted(
    method: str, grey: int, tiny_clip: Backbone, new_part: Callable[..., Image]
) -> None:
    made, shots = detector_of(method, tiny_clip, new_part, View(area=AREA))
    flat = Image(np.full((*SIZE, 3), grey, np.uint8), "flat", "RGB 8 bit")
    good, empty = made.score([new_part("plate", 8, SIZE), flat], ["plate", "plate"])
    assert empty.image_score > good.image_score
    assert empty.image_score > max(one.image_score for one in made.held_out(shots)["plate"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"nobody": AREA.as_json()},
        {"plate": {"inspect": 3}},
        {"plate": {"ignore": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}},
        [3],
    ],
)
def test_areas_that_no_class_can_have_are_refused(
    tiny_clip: Backbone, new_part: Callable[..., Image], tmp_path: Path, wrong: Any
) -> None:
    made, _ = detector_of("patchcore", tiny_clip, new_part, View(area=AREA))
    storage.save(made, tmp_path / "it")
    file = tmp_path / "it" / storage.MANIFEST_FILE
    manifest = json.loads(file.read_text("utf-8"))
    assert manifest["format"] == 5
    manifest |= {"areas": wrong}
    del manifest["manifest_sha256"]
    file.write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(InspectorError):
        storage.load(tmp_path / "it", tiny_clip)
