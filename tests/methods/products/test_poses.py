"""How far pictures lie from shots place by place, on maps drawn by chance."""

import json

import numpy as np
import pytest

from inspector.domain import Pose
from inspector.methods.products.moves import GRID, Move, differences, moves, told
from inspector.methods.products.poses import MOST, Fitted, Maps, Poses

FITTED = Fitted({"stem8": np.eye(6, 4, dtype=np.float32)}, 0.2, 0.45, 0.2, 0.1)


def scene(seed: int = 0) -> Maps:
    return np.random.default_rng(seed).normal(0, 1, (GRID, GRID, 4)).astype(np.float32)


def seen(picture: Maps, seed: int, noise: float = 0.2) -> Maps:
    found = picture + np.random.default_rng(seed).normal(0, noise, picture.shape)
    return (found - found.mean((0, 1))).reshape(GRID * GRID, -1).astype(np.float32)


def shots(count: int) -> Maps:
    return np.stack([seen(scene(), seed) for seed in range(1, count + 1)])


@pytest.mark.parametrize(
    ("move", "words"),
    [
        (Move(right=2), "about 13 % of the picture to the right"),
        (Move(right=-3, down=1), "about 20 % of the picture to the left and 7 % down"),
        (Move(turn=180), "turned by half a turn"),
    ],
)
def test_a_picture_that_was_moved_is_beyond_what_is_usual_and_the_move_is_told(
    move: Move, words: str
) -> None:
    poses = Poses(FITTED).with_shots("one", shots(3), 0)
    assert poses.pose("one") is Pose.FIXED
    around = np.rot90(scene(), 2) if move.turn else np.roll(scene(), (move.down, move.right), (0, 1))
    lie = poses.lie("one", seen(around, 9))
    assert lie.moved > 1
    assert lie.told == words
    still = poses.lie("one", seen(scene(), 8))
    assert (still.moved, still.told) == (0.0, "")


def test_what_is_elsewhere_no_nearer_has_not_moved_however_far_it_is() -> None:
    poses = Poses(FITTED).with_shots("one", shots(3), 0)
    assert poses.lie("one", seen(scene(77), 1)).moved == 0
    dim = seen(scene(), 8) * 0.4  # a lamp that is nearly out
    assert poses.lie("one", dim.astype(np.float32)).moved == 0


def test_a_defect_on_a_part_of_the_picture_has_not_moved_it() -> None:
    poses = Poses(FITTED).with_shots("one", shots(3), 0)
    harmed = scene()
    harmed[3:7, 3:7] += 3
    assert poses.lie("one", seen(harmed, 8)).moved == 0


def test_scenes_that_differ_have_no_fixed_pose_and_two_shots_tell_nothing() -> None:
    anyhow = np.stack([seen(np.roll(scene(), 3 * place, 1), place) for place in range(3)])
    assert Poses(FITTED).with_shots("one", anyhow, 0).pose("one") is Pose.ANYHOW
    others = np.stack([seen(scene(50 + place), place) for place in range(3)])
    assert Poses(FITTED).with_shots("one", others, 0).pose("one") is Pose.ANYHOW
    for few in (1, 2):
        assert Poses(FITTED).with_shots("one", shots(few), 0).pose("one") is Pose.FEW
    assert Poses(FITTED).pose("one") is Pose.UNKNOWN


def test_shots_join_in_order_up_to_a_number_and_a_gap_leaves_the_class_out() -> None:
    grown = Poses(FITTED)
    for place, one in enumerate(shots(MOST + 3)):
        grown = grown.with_shots("one", one[None], place)
    assert len(grown.classes["one"]) == MOST
    assert "one" not in Poses(FITTED).with_shots("one", shots(1), 2).classes
    assert "one" not in grown.with_shots("one", None, MOST + 3).classes


def test_poses_come_back_as_they_were_kept_and_damage_is_refused() -> None:
    kept = Poses(FITTED).with_shots("one", shots(3), 0)
    said = json.loads(json.dumps(kept.as_json()))
    again = Poses.from_json(said, ["one"])
    np.testing.assert_array_equal(again.classes["one"], kept.classes["one"])
    assert again.pose("one") is Pose.FIXED
    assert Poses.from_json({}, ["one"]).pose("one") is Pose.UNKNOWN
    for broken in (
        said | {"maps": {"one": "AAAA"}},
        said | {"maps": {"two": said["maps"]["one"]}},
        said | {"fitted": said["fitted"] | {"spread": 0}},
        said | {"fitted": said["fitted"] | {"basis": {}}},
        said | {"fitted": said["fitted"] | {"basis": {"stem8": [1.0]}}},
    ):
        with pytest.raises((ValueError, TypeError)):
            Poses.from_json(broken, ["one"])


def test_every_move_is_told_in_words() -> None:
    found = np.ones(len(moves()), np.float32)
    assert moves()[0] == Move()
    assert told(Move(), found) == ""
    assert all(told(one, found) for one in moves()[1:])
    assert np.argmin(differences(seen(scene(), 1), seen(scene(), 2))) == 0
