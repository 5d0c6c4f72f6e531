"""The figures of an attribute agreement study, against the handbook and by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score

from inspector.verdicts.agreement import Grade, agreement, cohen_kappa, figures, fleiss_kappa, share

EXPECTED = np.array([0, 0, 0, 1, 1], bool)


def test_kappa_of_two_people_is_that_of_the_handbook() -> None:
    kappa = cohen_kappa(np.array([[44, 6], [3, 97]], float), 150)  # AIAG MSA: A and B, 50 parts three times
    assert kappa is not None
    assert kappa.value == pytest.approx((141 / 150 - 12650 / 22500) / (1 - 12650 / 22500))
    assert round(kappa.value, 2) == 0.86
    assert kappa.low == pytest.approx(0.7763172, abs=1e-6)  # as statsmodels has it
    assert kappa.high == pytest.approx(0.9495711, abs=1e-6)


def test_kappa_of_many_people_is_what_a_pencil_gives() -> None:
    words = np.array([[0, 0], [1, 1], [0, 1]], bool)  # agreed on 2 of 3, half of all words are NG
    assert fleiss_kappa(words) == pytest.approx((2 / 3 - 1 / 2) / (1 - 1 / 2))


def test_each_figure_counts_what_it_says() -> None:
    words = np.array([[0, 0], [0, 1], [0, 0], [1, 1], [0, 1]], float)
    found = figures("Ada", EXPECTED, words)
    assert (found.effective.count, found.effective.of) == (3, 5)  # not the second and the last
    assert (found.repeated.count, found.repeated.of) == (3, 5)
    assert (found.misses.count, found.misses.of) == (1, 4)  # NG parts, twice each
    assert (found.false_alarms.count, found.false_alarms.of) == (1, 6)
    assert found.grade is Grade.NOT_ACCEPTABLE
    steady_but_wrong = figures("Bo", EXPECTED, 1 - np.repeat(EXPECTED[:, None], 2, 1).astype(float))
    assert (steady_but_wrong.repeated.value, steady_but_wrong.effective.value) == (1, 0)
    assert steady_but_wrong.kappa is not None
    assert steady_but_wrong.kappa.value < 0


@pytest.mark.parametrize(
    ("wrong_good", "wrong_bad", "grade"),
    [
        (0, 0, Grade.ACCEPTABLE),
        (5, 0, Grade.ACCEPTABLE),
        (6, 0, Grade.MARGINAL),
        (0, 2, Grade.ACCEPTABLE),
        (0, 3, Grade.MARGINAL),
        (0, 6, Grade.NOT_ACCEPTABLE),
        (11, 0, Grade.NOT_ACCEPTABLE),
    ],
)
def test_the_limits_are_those_of_the_handbook(wrong_good: int, wrong_bad: int, grade: Grade) -> None:
    expected = np.arange(200) >= 100
    words = expected.astype(float)
    words[:wrong_good] = 1
    words[100 : 100 + wrong_bad] = 0
    assert figures("Ada", expected, words[:, None]).grade is grade


def test_without_ng_parts_nobody_is_called_acceptable() -> None:
    found = figures("Ada", np.zeros(30, bool), np.zeros((30, 2)))
    assert found.grades == (Grade.ACCEPTABLE, None, Grade.ACCEPTABLE)
    assert found.grade is None
    assert found.kappa is None
    assert math.isnan(found.misses.value)


def test_a_part_counts_for_somebody_once_all_trials_have_a_word() -> None:
    ada = np.array([[0, 0], [0, 0], [np.nan, 0], [1, 1], [1, 1]])
    bo = np.array([[0, 0], [0, np.nan], [0, 0], [1, 1], [0, 0]])
    idle = np.full((5, 2), np.nan)
    found = agreement(EXPECTED, {"Ada": ada, "Bo": bo, "Cy": idle}, np.full(5, np.nan))
    assert [(one.name, one.parts) for one in found.people] == [("Ada", 4), ("Bo", 4)]
    assert found.detector is None
    assert found.alike is not None
    assert found.right is not None
    assert (found.alike.count, found.right.count, found.alike.of) == (2, 2, 3)
    assert [(one.first, one.second) for one in found.pairs] == [("Ada", "Bo")]
    alone = agreement(EXPECTED, {"Ada": ada}, EXPECTED.astype(float))
    assert (alone.alike, alone.fleiss, alone.pairs) == (None, None, ())
    assert alone.detector is not None
    assert alone.detector.effective.value == 1


@given(st.integers(1, 80).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_is_the_exact_one_and_holds_the_share(counted: tuple[int, int]) -> None:
    count, of = counted
    found, exact = share(count, of, of), binomtest(count, of).proportion_ci(0.95, "exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-9)
    wider = share(3 * count, 3 * of, of)  # judged three times: no more parts than before
    assert (wider.low, wider.high) == pytest.approx((found.low, found.high))


words_of_two = arrays.arrays(bool, st.tuples(st.integers(1, 40), st.just(2)))


@given(words_of_two)
def test_kappa_is_that_of_scikit_learn_and_knows_no_order(words: np.ndarray) -> None:
    one, other = words.T
    table = np.array([[np.sum((one == a) & (other == b)) for b in (0, 1)] for a in (0, 1)], float)
    found = cohen_kappa(table, len(words))
    if len(np.unique(words)) == 1:
        assert found is None
        return
    assert found is not None
    assert found.value == pytest.approx(cohen_kappa_score(one, other), abs=1e-9)
    for same in (table.T, table[::-1, ::-1]):
        turned = cohen_kappa(same, len(words))
        assert turned is not None
        assert turned.value == pytest.approx(found.value)
        if found.low is not None:
            assert (turned.low, turned.high) == pytest.approx((found.low, found.high))
    if found.low is not None and found.high is not None:
        assert -1 <= found.low <= found.value <= found.high <= 1


@given(arrays.arrays(bool, st.tuples(st.integers(1, 20), st.integers(2, 3))), st.data())
def test_effective_parts_are_repeated_ones_and_who_is_always_right_is_acceptable(
    words: np.ndarray, data: st.DataObject
) -> None:
    expected = data.draw(arrays.arrays(bool, len(words)))
    found = figures("Ada", expected, words.astype(float))
    assert found.effective.count <= found.repeated.count <= found.parts
    wrong = found.misses.count + found.false_alarms.count
    assert wrong == (words != expected[:, None]).sum()
    right = figures("Bo", expected, np.repeat(expected[:, None], 2, 1).astype(float))
    mixed = bool(0 < expected.sum() < len(expected))
    assert right.grade is (Grade.ACCEPTABLE if mixed else None)
    assert (right.kappa is not None and right.kappa.value == 1) is mixed
