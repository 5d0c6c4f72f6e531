import math

import pytest

from inspector.domain import Decision, Thresholds
from inspector.errors import DetectorError
from inspector.verdicts import product
from inspector.verdicts.judge import decide
from inspector.verdicts.product import Limit, Usual, is_other, limit, limits_of

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
    for one in (Limit(0.61), Limit(0.61, asked=False)):
        assert limits_of({"7": one.as_json()}) == {7: one}
    assert Limit(0.61, asked=False).in_force is None
