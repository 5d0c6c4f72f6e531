from collections import Counter

import numpy as np
import pytest
import torch

from inspector.domain import CancelToken, Image
from inspector.errors import DetectorError
from inspector.features import inspector_tiny, loading
from inspector.images.demo import parts as demo_parts
from inspector.methods import catalogue
from inspector.verdicts import metrics

METHODS = pytest.mark.parametrize("method", ["patchcore", "subspace"])


@pytest.fixture(scope="module")
def stem():
    """The embedded model's first stages, which the patch memory reads."""
    model = inspector_tiny.create(pretrained=False)
    inspector_tiny.load_stem(model)
    return loading.from_model(model, "inspector-tiny", "stem")


def part(kind, seed, defect=None):
    pixels, mask = demo_parts.draw(kind, seed, defect, size=240)
    return Image(pixels, f"{kind}{seed}", f"{kind} {seed}"), mask


def taught(method, stem, shots, **settings):
    made = catalogue.make(method, **settings)
    made.fit(shots, stem, progress=lambda *_: None, cancel=CancelToken())
    return made


@pytest.fixture(scope="module")
def shots():
    return {kind: [part(kind, seed)[0] for seed in range(4)] for kind in demo_parts.KINDS}


@METHODS
def test_defects_of_drawn_parts_score_higher_and_are_found_where_they_are(method, stem, shots):
    made = taught(method, stem, shots)
    for kind in demo_parts.KINDS:
        good = [part(kind, 100 + n) for n in range(4)]
        bad = [part(kind, 200 + n, defect) for n, defect in enumerate(demo_parts.DEFECTS[kind])]
        both = good + bad
        found = made.score([image for image, _ in both], [kind] * len(both))
        maps = [np.kron(score_map.values, np.ones((4, 4), np.float32)) for score_map in found]
        assert metrics.pixel_auroc(maps, [mask for _, mask in both]) > 0.85
        assert metrics.image_auroc([s.image_score for s in found], [0] * 4 + [1] * len(bad)) > 0.7


@METHODS
def test_the_class_of_every_drawn_part_is_found(method, stem, shots):
    made = taught(method, stem, shots)
    for kind in demo_parts.KINDS:
        unseen = [part(kind, 300)[0], part(kind, 301, demo_parts.DEFECTS[kind][0])[0]]
        for score_map in made.score(unseen, [None, None]):
            assert score_map.class_name == kind
            assert 0.5 < score_map.class_confidence <= 1


def test_maps_cover_the_image_at_a_quarter_of_the_models_size(stem, shots):
    made = taught("patchcore", stem, shots)
    (score_map,) = made.score(shots["washer"][:1], ["washer"])
    assert score_map.values.shape == (60, 60)
    assert score_map.values.dtype == np.float32
    assert score_map.image_score == pytest.approx(float(score_map.values.max()))
    assert score_map.class_confidence == 1


@METHODS
def test_held_out_shots_are_scored_without_themselves(method, stem, shots):
    made = taught(method, stem, shots)
    held_out = made.held_out(shots)
    seen = made.score(shots["blister"], ["blister"] * 4)
    assert Counter({kind: len(maps) for kind, maps in held_out.items()}) == Counter(dict.fromkeys(shots, 4))
    for left_out, remembered in zip(held_out["blister"], seen, strict=True):
        assert left_out.image_score > remembered.image_score
    fewer = taught(method, stem, {"blister": shots["blister"][1:]})
    (first,) = fewer.score(shots["blister"][:1], ["blister"])
    assert held_out["blister"][0].image_score == pytest.approx(first.image_score, rel=1e-4)


def test_added_shots_count_at_once_and_may_open_a_class(stem, shots):
    made = taught("patchcore", stem, {"cloth": shots["cloth"][:2]})
    (before,) = made.score(shots["cloth"][3:], ["cloth"])
    made.add_shots("cloth", shots["cloth"][3:])
    (after,) = made.score(shots["cloth"][3:], ["cloth"])
    assert after.image_score < 0.01 < before.image_score
    made.add_shots("washer", shots["washer"])
    assert made.classes == ("cloth", "washer")


def test_what_was_not_taught_is_refused_with_a_sentence(stem, shots):
    with pytest.raises(DetectorError, match="not taught yet"):
        catalogue.make("patchcore").score(shots["cloth"], [None] * 4)
    with pytest.raises(DetectorError, match="“cloth” has no normal shots"):
        taught("patchcore", stem, {"cloth": []})
    with pytest.raises(DetectorError, match="no class to teach"):
        taught("patchcore", stem, {})
    made = taught("patchcore", stem, {"cloth": shots["cloth"]})
    with pytest.raises(DetectorError, match="does not know the class “bolt”"):
        made.score(shots["cloth"][:1], ["bolt"])
    with pytest.raises(DetectorError, match="was taught on 4 shots, not on 2"):
        made.held_out({"cloth": shots["cloth"][:2]})


def test_the_same_image_scores_the_same_in_any_batch(stem, shots):
    made = taught("patchcore", stem, shots)
    image = part("cloth", 55)[0]
    (alone,) = made.score([image], [None])
    crowd = made.score([*shots["washer"], *shots["blister"], image], [None] * 9)
    assert crowd[-1].image_score == pytest.approx(alone.image_score, rel=1e-4)


def cut(image, height, width):
    return Image(image.pixels[:height, :width].copy(), f"{image.sha256}{height}x{width}", image.name)


@METHODS
def test_parts_cut_out_at_mixed_shapes_score_in_order_as_if_they_were_alone(method, stem, shots):
    made = taught(method, stem, shots)
    mixed = [
        shots["washer"][0],
        cut(shots["cloth"][1], 100, 240),
        shots["cloth"][2],
        cut(shots["cloth"][3], 240, 90),
        cut(shots["cloth"][0], 96, 230),
    ]
    together = made.score(mixed, ["washer", "cloth", "cloth", "cloth", None])
    assert [one.class_name for one in together] == ["washer", *["cloth"] * 4]
    assert all(one.values.shape == (60, 60) for one in together)
    for image, name, one in zip(mixed, ["washer", *["cloth"] * 3, None], together, strict=True):
        (alone,) = made.score([image], [name])
        assert one.image_score == pytest.approx(alone.image_score, rel=1e-3, abs=1e-4)


def test_a_part_cut_out_at_another_shape_than_the_shots_is_not_stretched(stem, shots):
    made = taught("patchcore", stem, {"washer": shots["washer"]})
    slim = cut(part("washer", 55)[0], 90, 240)
    squashed = Image(stem.prepare_one(slim.pixels), "", "")
    undistorted, distorted = made.score([slim, squashed], ["washer", "washer"])
    assert undistorted.values.mean() < 0.85 * distorted.values.mean()


def test_held_out_shots_of_mixed_shapes_are_left_out_one_by_one(stem, shots):
    cloths = {
        "cloth": [cut(shots["cloth"][0], 240, 120), *shots["cloth"][1:3], cut(shots["cloth"][3], 120, 240)]
    }
    held_out = taught("patchcore", stem, cloths).held_out(cloths)["cloth"]
    for index, score_map in enumerate(held_out):
        rest = {"cloth": [shot for number, shot in enumerate(cloths["cloth"]) if number != index]}
        (alone,) = taught("patchcore", stem, rest).score([cloths["cloth"][index]], ["cloth"])
        assert score_map.image_score == pytest.approx(alone.image_score, rel=1e-3)


def test_a_detector_of_a_version_that_remembered_squares_goes_on_with_squares(stem, shots):
    slim = [cut(shot, 240, 90) for shot in shots["cloth"]]
    squares = [Image(stem.prepare_one(image.pixels), image.sha256, image.name) for image in slim]
    old = taught("patchcore", stem, {"cloth": squares[:3]})
    tensors, settings = old.state()
    del settings["squares"]
    again = type(old).from_state(tensors, settings, stem)
    again.add_shots("cloth", [slim[3]])
    assert not again.proportions
    assert type(old).from_state(tensors, {**settings, "squares": False}, stem).proportions
    old.add_shots("cloth", [squares[3]])
    (found,), (wanted,) = again.score([slim[0]], ["cloth"]), old.score([squares[0]], ["cloth"])
    assert np.array_equal(found.values, wanted.values)


def test_blocks_saw_squares_before_there_were_frames_for_them(tiny_clip, shots):
    made = taught("patchcore", tiny_clip, {"cloth": [cut(shots["cloth"][0], 240, 90)]})
    assert made.proportions
    tensors, settings = made.state()
    del settings["proportions"]
    assert not type(made).from_state(tensors, {**settings, "squares": False}, tiny_clip).proportions
    with pytest.raises(DetectorError, match="yes or no"):
        type(made).from_state(tensors, {**settings, "proportions": "yes"}, tiny_clip)


@METHODS
def test_blocks_of_a_plain_vit_serve_as_well(method, tiny_clip, shots):
    made = taught(method, tiny_clip, {"cloth": shots["cloth"]}, taps=["block1", "block3"])
    (score_map,) = made.score([part("cloth", 5, demo_parts.DEFECTS["cloth"][0])[0]], ["cloth"])
    assert score_map.values.shape == (tiny_clip.image_size // 4,) * 2
    assert torch.isfinite(torch.tensor(score_map.values)).all()


def test_the_image_score_is_the_maps_maximum_or_the_mean_of_its_highest_hundredth(stem, shots):
    image = part("washer", 100)[0]
    for method, count in (("patchcore", 1), ("subspace", 36)):
        found = taught(method, stem, shots).score([image], ["washer"])[0]
        highest = np.sort(found.values, axis=None)[-count:]
        assert found.values.size == 3600
        assert found.image_score == pytest.approx(float(highest.mean()), abs=1e-6)
