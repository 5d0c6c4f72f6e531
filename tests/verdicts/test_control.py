"""Control limits of a share: exact where hits are rare, wider where parts come in batches."""

import numpy as np

from inspector.verdicts.control import TAIL, control


def every(n: int) -> np.ndarray:
    return np.ones(n, np.bool_)


def test_a_quiet_process_leaves_its_limits_as_seldom_as_promised() -> None:
    rng = np.random.default_rng(3)
    beyond = buckets = 0
    for rate, size in ((0.004, 60), (0.02, 400), (0.3, 50)):
        for _ in range(40):
            hits = rng.binomial(size, rate, 150)
            parts = np.full(150, size)
            found = control(hits, parts, np.arange(150) < 50)
            assert found is not None
            beyond += int(np.abs(found.out[50:]).sum())
            buckets += 100
    assert beyond <= 2 * TAIL * buckets * 1.3  # discrete counts promise less on average
    assert beyond > 0


def test_twice_as_many_hits_are_noticed_and_fewer_too() -> None:
    rng = np.random.default_rng(1)
    hits = np.concatenate(
        [rng.binomial(500, 0.05, 60), rng.binomial(500, 0.12, 5), rng.binomial(500, 0.004, 5)]
    )
    found = control(hits, np.full(70, 500), np.arange(70) < 60)
    assert found is not None
    assert found.out[60:65].tolist() == [1] * 5
    assert found.out[65:].tolist() == [-1] * 5
    assert found.spread == 1


def test_one_hit_after_a_reference_without_any_is_no_alarm_but_several_are() -> None:
    """Three sigmas around 0 would be 0."""
    hits, parts = np.zeros(32, int), np.full(32, 100)
    hits[30], hits[31] = 1, 8
    found = control(hits, parts, np.arange(32) < 30)
    assert found is not None
    assert found.out[30] == 0
    assert found.out[31] == 1
    assert 0 < found.high[0] < 0.05


def test_parts_that_come_in_batches_widen_the_limits() -> None:
    rng = np.random.default_rng(2)
    rates = rng.beta(4, 96, 80)  # batches differ by themselves
    hits = rng.binomial(2000, rates)
    parts = np.full(80, 2000)
    found = control(hits, parts, every(80))
    assert found is not None
    assert found.spread > 3
    assert np.abs(found.out).sum() <= 2
    alike = control(rng.binomial(2000, 0.04, 80), parts, every(80))
    assert alike is not None
    assert (alike.high - alike.low).mean() < (found.high - found.low).mean() / 2


def test_buckets_without_parts_have_no_limits_and_no_reference_gives_none() -> None:
    hits, parts = np.array([1, 0, 2]), np.array([50, 0, 60])
    found = control(hits, parts, every(3))
    assert found is not None
    assert np.isnan(found.high[1])
    assert found.out.tolist() == [0, 0, 0]
    assert control(hits, parts, np.zeros(3, np.bool_)) is None
    assert control(np.zeros(3, int), np.zeros(3, int), every(3)) is None


def test_a_bucket_of_few_parts_has_wider_limits() -> None:
    found = control(np.array([10, 1]), np.array([1000, 20]), every(2))
    assert found is not None
    assert found.high[1] > 3 * found.high[0]
