import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.domain import Decision, ScoreMap, Thresholds
from inspector.errors import InspectorError
from inspector.verdicts.judge import cuts_alike, decide, decide_all, judge
from inspector.verdicts.regions import MOST, on_score_scale, regions

BAND = Thresholds(review=0.4, ng=0.6, pixel=0.5)


def map_with(*boxes, side=60, value=1.0):
    values = np.full((side, side), 0.1, np.float32)
    for x, y, w, h in boxes:
        values[y : y + h, x : x + w] = value
    return values


def test_scores_on_a_threshold_belong_to_the_stricter_side():
    assert decide(0.3999, BAND) is Decision.OK
    assert decide(0.4, BAND) is Decision.REVIEW
    assert decide(0.6, BAND) is Decision.NG


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_score_or_map_that_is_no_number_is_refused_everywhere(value):
    with pytest.raises(InspectorError, match="no number") as caught:
        decide(value, BAND)
    assert caught.value.hint
    assert decide_all([value, 0.0], BAND).tolist() == [3, 0]
    values = map_with()
    values[3, 3] = value
    with pytest.raises(InspectorError, match="no number"):
        judge(ScoreMap(values, 0.0, "part"), BAND, (64, 64))


@given(st.lists(st.floats(-1, 2), max_size=30), st.floats(0, 1), st.floats(0, 1))
def test_many_scores_are_judged_as_each_by_itself(scores, a, b):
    band = Thresholds(review=min(a, b), ng=max(a, b), pixel=0.5)
    order = [Decision.OK, Decision.REVIEW, Decision.NG]
    assert [order[i] for i in decide_all(scores, band)] == [decide(score, band) for score in scores]


def test_an_ok_image_shows_no_regions_and_an_ng_image_shows_its_own():
    values = map_with((30, 15, 6, 3))
    assert judge(ScoreMap(values, 0.2, "a"), BAND, (600, 600)).regions == ()
    verdict = judge(ScoreMap(values, 0.9, "a"), BAND, (600, 600))
    assert verdict.decision is Decision.NG
    (region,) = verdict.regions
    x, y, w, h = region.box
    assert (x, y) == pytest.approx((300, 150), abs=8)
    assert (w, h) == pytest.approx((60, 30), abs=12)
    assert region.peak == 0.9  # the map is told on the scale of the score
    assert region.area == pytest.approx(60 * 30, rel=0.15)


def test_an_image_whose_map_stays_below_its_score_points_at_the_peak():
    values = map_with((10, 40, 4, 4), value=0.45)
    (region,) = judge(ScoreMap(values, 0.9, "a"), BAND, (120, 120)).regions
    assert region.peak == 0.9
    x, y, w, h = region.box
    assert x <= 22 <= x + w
    assert y <= 82 <= y + h


@given(
    st.floats(-2, 2, width=32),
    st.floats(-2, 2, width=32),
    st.integers(0, 2**32 - 1),
    st.floats(-2, 2),
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
)
def test_every_verdict_is_explained_by_its_regions_whatever_map_and_score_say(low, high, seed, score, size):
    noise = np.random.default_rng(seed).random((7, 9), dtype=np.float32)
    values = np.float32(low) + noise * np.float32(high - low)
    verdict = judge(ScoreMap(values, score, "a"), Thresholds(-0.5, 0.5, -0.5), size)
    assert bool(verdict.regions) == (verdict.decision is not Decision.OK)
    assert all(region.peak <= score for region in verdict.regions)
    if verdict.regions:
        assert verdict.regions[0].peak == score


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 2), st.floats(0.01, 2))
def test_a_map_keeps_its_shape_on_the_scale_of_the_score(seed, factor, score):
    values = np.random.default_rng(seed).random((5, 6), dtype=np.float32) * np.float32(factor)
    shown = on_score_scale(values, score)
    assert shown.max() == pytest.approx(score)
    assert shown / score == pytest.approx(values / values.max(), rel=1e-5)
    assert on_score_scale(shown, score) == pytest.approx(shown, rel=1e-6)


def test_regions_that_touch_diagonally_are_one_and_the_strongest_comes_first():
    values = map_with((5, 5, 4, 4), (9, 9, 4, 4))
    values[40:44, 40:44] = 2.0
    found = regions(values, 0.5, (60, 60))
    assert len(found) == 2
    assert found[0].peak == pytest.approx(2.0)


@given(
    st.integers(1, 5000),
    st.integers(1, 5000),
    st.integers(0, 2**32 - 1),
    st.floats(-0.5, 1.5),
)
def test_boxes_stay_inside_the_image_whatever_its_size(width, height, seed, threshold):
    values = np.random.default_rng(seed).random((7, 9), dtype=np.float32)
    found = regions(values, threshold, (width, height))
    assert bool(found) == (values.max() >= threshold)
    assert len(found) <= MOST
    for region in found:
        x, y, w, h = region.box
        assert x >= 0
        assert y >= 0
        assert w >= 1
        assert h >= 1
        assert x + w <= width
        assert y + h <= height
        assert 1 <= region.area <= max(1, w * h * 1.01)


def test_regions_of_a_24_megapixel_image_are_cut_on_its_map_and_not_on_its_pixels():
    values = map_with((5, 5, 9, 9), (30, 30, 4, 4), (50, 2, 3, 30))
    tracemalloc.start()
    try:
        assert len(regions(values, 0.5, (6000, 4000))) == 3
        assert tracemalloc.get_traced_memory()[1] < 6000 * 4000 / 2
    finally:
        tracemalloc.stop()


@given(
    score=st.floats(0, 1),
    reviews=st.tuples(st.sampled_from([0.3, 0.5, 0.7]), st.sampled_from([0.3, 0.5, 0.7])),
    highest=st.tuples(st.sampled_from([0.7, 0.8]), st.sampled_from([0.7, 0.8])),
)
def test_thresholds_that_are_said_to_cut_alike_give_the_same_regions(score, reviews, highest):
    values = np.zeros((8, 8), np.float32)
    values[2:5, 2:5], values[3, 3] = 0.3, 0.9
    one, other = (Thresholds(review, ng, review) for review, ng in zip(reviews, highest, strict=True))
    found = [judge(ScoreMap(values, score, "Part"), each, (64, 64)).regions for each in (one, other)]
    assert cuts_alike(score, one, other) == (reviews[0] == reviews[1] and found[0] != ())
    assert not cuts_alike(score, one, other) or found[0] == found[1]
