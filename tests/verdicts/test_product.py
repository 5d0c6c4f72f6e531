import math

import numpy as np
import pytest

from inspector.domain import Decision, Lie, Pose, ScoreMap, Thresholds
from inspector.errors import DetectorError
from inspector.verdicts import product
from inspector.verdicts.judge import decide
from inspector.verdicts.product import (
    Limit,
    Usual,
    far,
    is_other,
    limit,
    limits_of,
    moved_from,
    reason,
    why_moved,
)

KNOWN = Usual(spread=0.4, own=0.6, other=1.0)
BAND = Thresholds(0.4, 0.6, 0.4)


def test_shots_that_are_alike_do_not_make_every_other_part_another_product() -> None:
    assert limit([0.01] * 8, 8, KNOWN) == KNOWN.own


def test_a_single_shot_does_not_put_other_products_out_of_reach() -> None:
    assert limit([0.2, 0.3], 1, KNOWN) == KNOWN.other


def test_no_good_part_of_the_class_is_another_product_however_far_it_lies() -> None:
    wide = limit([0.5, 1.4, 0.9, 0.7], 4, KNOWN)
    assert wide is not None
    assert not is_other(1.4, wide)
    near = limit([0.1, 0.12, 0.11, 0.1], 4, KNOWN)
    joined = limit([0.1, 0.12, 0.11, 0.1], 4, KNOWN, good=[1.2])
    assert near is not None
    assert joined is not None
    assert is_other(1.2, near)
    assert not is_other(1.2, joined)
    assert is_other(2.0, joined)


def test_where_a_distance_is_missing_nothing_is_asked() -> None:
    assert limit([0.1, None], 2, KNOWN) is None
    assert limit([0.1, math.nan], 2, KNOWN) is None
    assert limit([], 2, KNOWN) is None
    assert product.usual({"key": "a backbone on which nothing was measured"}) is None
    assert not is_other(None, 0.5)
    assert not is_other(9.0, None)


def test_another_product_is_neither_ok_nor_ng_whatever_it_scores() -> None:
    assert [decide(score, BAND, True) for score in (0.0, 0.5, 9.0)] == [Decision.OTHER] * 3
    with pytest.raises(DetectorError):
        decide(math.nan, BAND, True)


@pytest.mark.parametrize(
    "damaged",
    [None, [], "x", {"7": 3}, {"7": {"from": "x"}}, {"7": {"from": -1.0}}, {"x": {"from": 1.0}}, {"7": None}],
)
def test_a_damaged_limit_asks_nothing(damaged: object) -> None:
    assert limits_of(damaged) == {}


def test_a_limit_comes_back_as_it_was_kept() -> None:
    held = Limit(0.61, pose=Pose.FIXED, moved=1.25)
    for one in (Limit(0.61), Limit(0.61, asked=False), held, Limit(0.61, pose=Pose.ANYHOW)):
        assert limits_of({"7": one.as_json()}) == {7: one}
    assert Limit(0.61, asked=False).in_force is None


def _seen(whole: float | None, lie: Lie | None) -> ScoreMap:
    return ScoreMap(np.zeros((2, 2), np.float32), 0.1, "washer", product_distance=whole, lie=lie)


def test_one_distance_says_another_product_or_a_moved_camera_whichever_is_farther_beyond_its_limit() -> None:
    held = Limit(0.6, pose=Pose.FIXED, moved=1.2)
    assert far(_seen(0.3, Lie()), held) == 0.3
    moved = far(_seen(0.3, Lie(1.8, "about 12 % of the picture to the left")), held)
    assert moved == pytest.approx(0.9)
    assert is_other(moved, held.distance)
    assert not is_other(
        far(_seen(0.3, Lie(1.1)), held), held.distance
    )  # as far as a part that is known to be good
    assert far(_seen(0.9, Lie(1.5)), held) == 0.9
    assert far(_seen(None, Lie(9.0)), held) is None
    for unasked in (Limit(0.6), Limit(0.6, pose=Pose.ANYHOW), None):
        assert far(_seen(0.3, Lie(9.0)), unasked) == 0.3


def test_the_reason_says_how_it_moved_or_that_it_lies_elsewhere_and_never_so_of_another_product() -> None:
    held = Limit(0.6, pose=Pose.FIXED)
    told = why_moved(_seen(0.3, Lie(1.8, "turned by about 10° clockwise")), held)
    assert told == "The camera or the part has moved: turned by about 10° clockwise."
    assert reason(0.9, 0.6, told) == f"t{told[1:]}"
    assert "elsewhere than in the shots" in why_moved(_seen(0.3, Lie(1.8)), held)
    assert why_moved(_seen(0.9, Lie(1.8)), held) == ""
    assert reason(0.9, 0.6, "").startswith("it looks unlike the shots")
    assert why_moved(_seen(0.9, Lie(1.8, "about 1.2 times as large")), held)
    assert why_moved(_seen(0.3, Lie(0.0)), held) == ""


def test_parts_that_people_call_good_move_the_limit_of_where_they_lie() -> None:
    assert moved_from([]) == 1.0
    good = [_seen(0.3, Lie()), _seen(0.3, Lie(1.4, "x")), _seen(0.3, None)]
    assert not is_other(far(good[1], Limit(0.6, pose=Pose.FIXED, moved=moved_from(good))), 0.6)


@pytest.mark.parametrize(
    "said", [{"pose": "x", "moved": 1.0}, {"pose": "fixed"}, {"pose": "fixed", "moved": 0.5}]
)
def test_a_damaged_pose_asks_nothing_of_the_camera(said: dict[str, object]) -> None:
    assert limits_of({"7": {"from": 0.6, "asked": True} | said}) == {7: Limit(0.6)}
