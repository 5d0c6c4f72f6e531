"""Every method looks at a class tile by tile where it is told to."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from viewed_parts import SIZE, detector_of, spotted

from inspector.domain import Image
from inspector.errors import DetectorError
from inspector.features.backbone import Backbone
from inspector.features.tiles import View
from inspector.methods import catalogue, memory_bank, storage
from inspector.methods.taught import pieces


def tiled(
    method: str, backbone: Backbone, part: Callable[..., Image], **more: Any
) -> tuple[Any, dict[str, list[Image]]]:
    return detector_of(method, backbone, part, View(3 * backbone.image_size), **more)


@pytest.mark.parametrize("method", list(catalogue.METHODS))
def test_a_tiled_class_is_taught_stored_left_out_and_extended(
    method: str, tiny_clip: Backbone, new_part: Callable[..., Image], tmp_path: Path
) -> None:
    made, shots = tiled(method, tiny_clip, new_part)
    images = [
        new_part("plate", 8, SIZE),
        new_part("disc", 8, SIZE),
        spotted(new_part("plate", 9, SIZE), 90, 90, 5),
    ]
    names = ["plate", "disc", "plate"]
    found = made.score(images, names)
    side = tiny_clip.image_size // 4
    assert found[0].values.shape[0] == 3 * side < found[0].values.shape[1]
    assert found[1].values.shape == (side, side)
    assert all(one.finite for one in found)
    storage.save(made, tmp_path / "it")
    again = storage.load(tmp_path / "it", tiny_clip)
    assert again.views == made.views
    for one, other in zip(found, again.score(images, names), strict=True):
        assert np.array_equal(one.values, other.values)
        assert one.image_score == other.image_score
    held_out = made.held_out(shots)["plate"]
    known = made.score(shots["plate"], ["plate"] * 2)
    if catalogue.find(method).independent:
        assert all(out.image_score > own.image_score for out, own in zip(held_out, known, strict=True))
    made.add_shots("plate", [new_part("plate", 5, SIZE)])
    assert made.taught.memory.count("plate") == 3


def test_a_prepared_picture_scores_as_the_whole_one(
    tiny_clip: Backbone, new_part: Callable[..., Image]
) -> None:
    made, _ = tiled("patchcore", tiny_clip, new_part)
    image = new_part("plate", 8, (361, 402))
    small = Image(made.prepare_one(image.pixels, "plate"), image.sha256, image.mode)
    assert small.pixels.shape[0] == 3 * tiny_clip.image_size
    one, other = made.score([image, small], ["plate", "plate"])
    assert np.array_equal(one.values, other.values)


def test_the_class_of_a_picture_is_found_on_the_whole_of_it(
    tiny_clip: Backbone, new_part: Callable[..., Image]
) -> None:
    made, _ = tiled("patchcore", tiny_clip, new_part)
    images = [new_part(name, 20 + number, SIZE) for number in range(3) for name in ("disc", "plate")]
    found = made.score(images, [None] * 6)
    assert [one.class_name for one in found] == ["disc", "plate"] * 3
    assert all(0 < one.class_confidence <= 1 for one in found)
    side = tiny_clip.image_size // 4
    assert found[0].values.shape == (side, side) != found[1].values.shape


def test_a_memory_of_tiles_keeps_no_more_than_it_says(
    tiny_clip: Backbone, new_part: Callable[..., Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_bank, "LARGEST", 40)
    made, _ = tiled("patchcore", tiny_clip, new_part)
    counts = {tuple(values.shape[:1]) for values in made.state()[0].values()}
    assert (40,) in counts
    assert max(counts) <= (max(40, tiny_clip.grid[0] * tiny_clip.grid[1] * 2),)


@pytest.mark.parametrize("wrong", [{"plate": 30_000}, {"plate": 1.5}, {"nobody": 300}, [3], {"plate": True}])
def test_resolutions_that_no_class_can_have_are_refused(
    tiny_clip: Backbone, new_part: Callable[..., Image], tmp_path: Path, wrong: Any
) -> None:
    made, _ = tiled("patchcore", tiny_clip, new_part)
    storage.save(made, tmp_path / "it")
    file = tmp_path / "it" / storage.MANIFEST_FILE
    manifest = json.loads(file.read_text("utf-8")) | {"resolutions": wrong}
    del manifest["manifest_sha256"]
    file.write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(DetectorError, match="resolutions"):
        storage.load(tmp_path / "it", tiny_clip)


def test_tiles_of_another_resolution_are_other_tiles(
    tiny_clip: Backbone, new_part: Callable[..., Image]
) -> None:
    image, side = new_part("plate", 8, SIZE), tiny_clip.image_size
    names = [
        {piece.sha256 for piece in pieces(image, View(times * side), tiny_clip, True, side // 4)}
        for times in (2, 3)
    ]
    assert not names[0] & names[1]
    assert len(names[1]) == len(pieces(image, View(3 * side), tiny_clip, True, side // 4))


def test_a_detector_that_lost_what_finds_its_classes_is_refused(
    tiny_clip: Backbone, new_part: Callable[..., Image], tmp_path: Path
) -> None:
    made, _ = tiled("patchcore", tiny_clip, new_part)
    made.finder = None
    storage.save(made, tmp_path / "it")
    with pytest.raises(DetectorError, match="can't find all classes"):
        storage.load(tmp_path / "it", tiny_clip)
