"""What a place is compared with: the patch of the shots that resembles it most, and how unusual the place is."""

import cv2
import numpy as np
import pytest
from viewed_parts import QUICK, detector_of

from inspector.domain import CancelToken, Image
from inspector.errors import Cancelled, DetectorError
from inspector.features import inspector_tiny, loading
from inspector.features.tiles import View
from inspector.images.area import Area
from inspector.images.demo import parts as demo_parts
from inspector.images.turning import before_turning, turned
from inspector.methods import catalogue, storage

PLACES = [(0.5, 0.5), (0.2, 0.7), (0.99, 0.01)]


@pytest.fixture(scope="module")
def stem():
    model = inspector_tiny.create(pretrained=False)
    inspector_tiny.load_stem(model)
    return loading.from_model(model, "inspector-tiny", "stem")


def washer(seed, defect=None):
    pixels, mask = demo_parts.draw("washer", seed, defect, size=240)
    return Image(pixels, f"washer {seed} {defect}", f"washer {seed}"), mask


def outlined(left, top, width, height):
    right, bottom = left + width, top + height
    return (left, top), (right, top), (right, bottom), (left, bottom)


def holds(box, x, y):
    left, top, width, height = box
    return left - 1e-6 <= x <= left + width + 1e-6 and top - 1e-6 <= y <= top + height + 1e-6


@pytest.mark.parametrize("method", list(catalogue.METHODS))
def test_a_shot_resembles_itself_most_at_the_very_place(method, tiny_clip, new_part, taught):
    quick = {key: value for key, value in QUICK.items() if key in catalogue.defaults(method)}
    shots = {"plate": [new_part("plate", number) for number in range(3)]}
    made = taught(catalogue.make(method, **quick), shots, tiny_clip)
    patches = made.normal_patches("plate", shots["plate"])
    for x, y in PLACES:
        found = patches.find(shots["plate"][1], x, y)
        assert found.shot == 1
        assert found.distance < 0.01
        assert holds(found.patch, x, y)
        assert holds(found.nearest, x, y)


@pytest.mark.parametrize("method", ["patchcore", "subspace"])
def test_a_defect_is_more_unusual_than_what_good_parts_show(method, stem, taught):
    shots = [washer(seed)[0] for seed in range(4)]
    made = taught(catalogue.make(method), {"washer": shots}, stem)
    patches = made.normal_patches("washer", shots)
    for number, defect in enumerate(demo_parts.DEFECTS["washer"]):
        image, mask = washer(200 + number, defect)
        rows, columns = np.nonzero(mask)
        at = len(rows) // 2
        inside = patches.find(image, columns[at] / 240, rows[at] / 240)
        assert inside.unusual > 0.97
    asked = [patches.find(washer(300)[0], x, y).unusual for x in (0.2, 0.5, 0.8) for y in (0.2, 0.5, 0.8)]
    assert np.mean(asked) < 0.8


def test_a_part_that_lies_elsewhere_is_compared_with_where_it_lay(stem, taught):
    shots = [washer(seed)[0] for seed in range(3)]
    made = taught(catalogue.make("patchcore"), {"washer": shots}, stem)
    moved = Image(np.roll(shots[2].pixels, (48, -32), axis=(0, 1)), "moved", "moved")
    found = made.normal_patches("washer", shots).find(moved, 0.4, 0.6)
    assert found.shot == 2
    assert holds(found.nearest, 0.4 + 32 / 240, 0.6 - 48 / 240)
    assert found.distance < 0.1


def test_a_single_shot_is_compared_with_altered_views_of_it(stem, taught):
    image, mask = washer(201, demo_parts.DEFECTS["washer"][1])
    made = taught(catalogue.make("patchcore"), {"washer": [washer(0)[0]]}, stem)
    rows, columns = np.nonzero(mask)
    at = len(rows) // 2
    found = made.normal_patches("washer", [washer(0)[0]]).find(image, columns[at] / 240, rows[at] / 240)
    assert found.shot == 0
    assert 0.9 < found.unusual <= 1


def test_of_shots_remembered_turned_the_place_is_told_as_they_were_taken(tiny_clip, new_part, taught):
    shots = []
    for number in range(2):
        image = new_part("plate", number, (160, 160))
        cv2.circle(image.pixels, (112, 48), 14, (250, 250 * number, 30), -1)
        shots.append(image)
    made = taught(catalogue.make("anomalydino"), {"plate": shots}, tiny_clip)
    slanted = Image(turned(shots[1].pixels, 90), "turned", "turned")
    found = made.normal_patches("plate", shots).find(slanted, 48 / 160, 48 / 160)
    assert (found.shot, holds(found.nearest, 112 / 160, 48 / 160)) == (1, True)
    assert found.distance < 0.01


@pytest.mark.parametrize("angle", [45, 90, 225])
def test_a_point_of_a_turned_picture_is_traced_back(angle):
    pixels = np.zeros((100, 140, 3), np.uint8)
    pixels[28:32, 88:92] = 255
    rows, columns = np.nonzero(turned(pixels, angle)[..., 0] > 128)
    x, y = before_turning((columns.mean() + 0.5) / 140, (rows.mean() + 0.5) / 100, pixels.shape, angle)
    assert (x * 140, y * 100) == (pytest.approx(90, abs=1), pytest.approx(30, abs=1))


def test_in_tiles_the_patch_is_as_small_as_what_the_tower_sees_there(tiny_clip, new_part):
    made, shots = detector_of("patchcore", tiny_clip, new_part, View(128))
    found = made.normal_patches("plate", shots["plate"]).find(shots["plate"][0], 0.7, 0.3)
    assert found.shot == 0
    assert found.distance < 0.01
    assert holds(found.nearest, 0.7, 0.3)
    assert max(found.nearest[2:]) < 0.25 / 2 + 0.01


def test_a_place_that_is_not_inspected_is_refused(tiny_clip, new_part):
    area = Area((((0.1, 0.1), (0.6, 0.1), (0.6, 0.6), (0.1, 0.6)),))
    made, shots = detector_of("patchcore", tiny_clip, new_part, View(0, area))
    patches = made.normal_patches("plate", shots["plate"])
    assert patches.find(shots["plate"][0], 0.3, 0.3).shot == 0
    with pytest.raises(DetectorError, match="not inspected"):
        patches.find(shots["plate"][0], 0.9, 0.9)


def _marked(image, x, y, colour=(30, 200, 40)):
    pixels = image.pixels.copy()
    cv2.circle(pixels, (int(x * pixels.shape[1]), int(y * pixels.shape[0])), 9, colour, -1)
    return Image(pixels, image.sha256 + "marked", image.mode)


@pytest.mark.parametrize("method", list(catalogue.METHODS))
def test_what_is_remembered_of_a_place_is_normal_from_then_on_and_kept(
    method, tiny_clip, new_part, taught, tmp_path
):
    """And nothing else is: as many shots as before, the same found elsewhere, the same from a file."""
    quick = {key: value for key, value in QUICK.items() if key in catalogue.defaults(method)}
    shots = {kind: [new_part(kind, number) for number in range(3)] for kind in ("disc", "plate")}
    made = taught(catalogue.make(method, **quick), shots, tiny_clip)
    odd = _marked(new_part("plate", 9), 0.4, 0.6)
    box = outlined(0.3, 0.5, 0.2, 0.2)
    before = made.normal_patches("plate", shots["plate"]).find(odd, 0.4, 0.6)
    first = made.score([odd, shots["disc"][0]], ["plate", "disc"])
    storage.save(made, tmp_path / "before")
    made.add_places("plate", [(odd, box)])
    after = made.normal_patches("plate", shots["plate"], [(odd, box)]).find(odd, 0.4, 0.6)
    assert after.shot == 3
    assert after.distance < before.distance
    assert after.unusual <= before.unusual
    again = made.score([odd, shots["disc"][0]], ["plate", "disc"])
    assert np.array_equal(again[1].values, first[1].values)
    assert not np.array_equal(again[0].values, first[0].values)
    assert [len(one) for one in made.held_out(shots).values()] == [3, 3]

    storage.save(made, tmp_path / "detector")
    assert storage.read_manifest(tmp_path / "detector")["format"] == 6
    assert storage.read_manifest(tmp_path / "before")["format"] < 6
    read = storage.load(tmp_path / "detector", tiny_clip)
    for one, other in zip(read.score([odd, shots["disc"][0]], ["plate", "disc"]), again, strict=True):
        np.testing.assert_allclose(one.values, other.values, rtol=1e-5)
    made.add_shots("plate", [new_part("plate", 20)])
    held = made.held_out({**shots, "plate": [*shots["plate"], new_part("plate", 20)]})
    assert len(held["plate"]) == 4


def test_a_false_alarm_that_was_called_normal_goes_and_a_defect_elsewhere_stays(stem, taught):
    shots = [washer(seed)[0] for seed in range(4)]
    made = taught(catalogue.make("patchcore"), {"washer": shots}, stem)
    odd = [_marked(washer(seed)[0], 0.5, 0.2) for seed in (50, 51)]
    defect = washer(201, demo_parts.DEFECTS["washer"][1])[0]
    before = made.score([*odd, defect], ["washer"] * 3)
    made.add_places("washer", [(odd[0], outlined(0.4, 0.1, 0.2, 0.2))])
    after = made.score([*odd, defect], ["washer"] * 3)
    worst = max(one.image_score for one in made.held_out({"washer": shots})["washer"])
    assert min(one.image_score for one in before) > 1.3 * worst
    assert max(one.image_score for one in after[:2]) < 1.15 * worst  # the same mark on another part too
    assert after[2].image_score > 0.9 * before[2].image_score


def test_a_place_smaller_than_a_patch_is_the_patch_that_shows_it(tiny_clip, new_part, taught):
    shots = [new_part("plate", number) for number in range(2)]
    made = taught(catalogue.make("patchcore"), {"plate": shots}, tiny_clip)
    odd = _marked(new_part("plate", 9), 0.4, 0.6)
    made.add_places("plate", [(odd, outlined(0.4, 0.6, 0.001, 0.001))])
    found = made.normal_patches("plate", shots, [(odd, outlined(0.4, 0.6, 0.001, 0.001))]).find(odd, 0.4, 0.6)
    assert (found.shot, found.distance) == (2, pytest.approx(0, abs=0.01))


@pytest.mark.parametrize(
    "view", [View(128), View(128, Area((((0.1, 0.1), (0.6, 0.1), (0.6, 0.6), (0.1, 0.6)),)))]
)
def test_a_place_in_tiles_is_remembered_from_every_tile_that_shows_it(view, tiny_clip, new_part):
    made, _shots = detector_of("patchcore", tiny_clip, new_part, view)
    odd = _marked(new_part("plate", 9, (180, 200)), 0.4, 0.4)
    before = made.score([odd], ["plate"])[0].values
    made.add_places("plate", [(odd, outlined(0.3, 0.3, 0.2, 0.2))])
    after = made.score([odd], ["plate"])[0].values
    rows, columns = (slice(int(0.35 * side), int(0.45 * side)) for side in before.shape)
    assert after[rows, columns].mean() < 0.5 * before[rows, columns].mean()


def test_a_place_that_is_not_inspected_or_of_an_unknown_class_is_refused(tiny_clip, new_part):
    area = Area((((0.1, 0.1), (0.6, 0.1), (0.6, 0.6), (0.1, 0.6)),))
    for view in (View(0, area), View(128, area)):
        made, shots = detector_of("patchcore", tiny_clip, new_part, view)
        with pytest.raises(DetectorError, match="inspected"):
            made.add_places("plate", [(shots["plate"][0], outlined(0.8, 0.8, 0.1, 0.1))])
        with pytest.raises(DetectorError, match="does not know"):
            made.add_places("screw", [(shots["plate"][0], outlined(0.2, 0.2, 0.1, 0.1))])


def test_what_lies_inside_the_box_but_outside_the_outline_is_not_excused(stem, taught):
    """An L-shaped mark says nothing of what lies in the corner that it leaves free."""
    shots = [washer(seed)[0] for seed in range(4)]
    made = taught(catalogue.make("patchcore"), {"washer": shots}, stem)
    odd = _marked(_marked(washer(50)[0], 0.3, 0.15), 0.72, 0.7, (20, 10, 10))
    corner = _marked(washer(51)[0], 0.72, 0.7, (20, 10, 10))
    whole = taught(catalogue.make("patchcore"), {"washer": shots}, stem)
    ell = ((0.1, 0.05), (0.9, 0.05), (0.9, 0.25), (0.3, 0.25), (0.3, 0.9), (0.1, 0.9))
    before = made.score([corner], ["washer"])[0].image_score
    made.add_places("washer", [(odd, ell)])
    whole.add_places("washer", [(odd, outlined(0.1, 0.05, 0.8, 0.85))])
    assert made.score([corner], ["washer"])[0].image_score > 0.9 * before
    assert whole.score([corner], ["washer"])[0].image_score < 0.7 * before
    assert made.score([odd], ["washer"])[0].values[:15].max() < 0.6 * before


def test_a_line_thinner_than_a_patch_is_remembered_where_it_lies(tiny_clip, new_part, taught):
    shots = [new_part("plate", number) for number in range(2)]
    made = taught(catalogue.make("patchcore"), {"plate": shots}, tiny_clip)
    thin = ((0.1, 0.26), (0.9, 0.26), (0.9, 0.261), (0.1, 0.261))
    odd = _marked(new_part("plate", 9), 0.1, 0.26)
    before = made.normal_patches("plate", shots).find(odd, 0.1, 0.26)
    made.add_places("plate", [(odd, thin)])
    after = made.normal_patches("plate", shots, [(odd, thin)]).find(odd, 0.1, 0.26)
    assert (after.shot, after.distance) == (2, pytest.approx(0, abs=0.01))
    assert before.distance > 0.05


def test_a_place_in_tiles_is_kept_no_larger_than_a_shot(tiny_clip, new_part, monkeypatch):
    monkeypatch.setattr("inspector.methods.memory_bank.LARGEST", 50)
    made, shots = detector_of("patchcore", tiny_clip, new_part, View(128))
    made.add_places("plate", [(shots["plate"][0], outlined(0, 0, 1, 1))])
    sizes = {len(values) for name, values in made.taught.memory.tensors().items() if ".place" in name}
    assert sizes == {50}


def test_an_explanation_that_nobody_waits_for_ends_between_two_shots(stem, taught):
    shots = [washer(seed)[0] for seed in range(3)]
    made = taught(catalogue.make("patchcore"), {"washer": shots}, stem)
    token = CancelToken()
    patches = made.normal_patches("washer", shots, cancel=token)
    token.cancel()
    with pytest.raises(Cancelled):
        patches.find(shots[0], 0.5, 0.5)
    with pytest.raises(Cancelled):
        made.normal_patches("washer", shots, cancel=token)
