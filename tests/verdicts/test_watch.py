"""Drift: pictures that are really drawn in other light, focus or colour, or of harmed parts, and quiet days."""

import zlib
from functools import cache

import numpy as np
import pytest

from inspector.images.demo import parts
from inspector.images.demo.light import canvas, photograph
from inspector.images.demo.parts import DEFECTS, KINDS
from inspector.stations.looks import looks_of
from inspector.verdicts.watch import (
    QUIET_DAYS,
    REFERENCE,
    Cause,
    Groups,
    Look,
    joined,
    place_of,
    ratios,
    watch,
    words,
)

SIZE = 96


def picture(
    kind: str,
    seed: int,
    *,
    light: float = 1.0,
    colour: tuple[float, float, float] = (1, 1, 1),
    blur: float | None = None,
    defect: str | None = None,
) -> np.ndarray:
    """A drawn part, uint8 RGB (SIZE, SIZE, 3). `light`, `colour`: of the lamp, as a share of the usual; `blur`: of the lens."""
    c = canvas(SIZE, [seed, SIZE, zlib.crc32(kind.encode())], defect)
    seen, _ = parts._PARTS[kind].draw(c)
    lit = np.asarray(seen * np.float32(light) * np.array(colour, np.float32), np.float32)
    return photograph(lit, c) if blur is None else photograph(lit, c, (blur * 0.9, blur * 1.1))


@cache
def looks(
    kind: str,
    count: int,
    first: int = 0,
    *,
    light: float = 1.0,
    colour: tuple[float, float, float] = (1, 1, 1),
    blur: float | None = None,
    defect: str | None = None,
) -> np.ndarray:
    """(count, 4): looks of so many parts, as `Looks`."""
    found = []
    for seed in range(first, first + count):
        one = looks_of(picture(kind, seed, light=light, colour=colour, blur=blur, defect=defect))
        found.append((one.brightness, one.sharpness, one.red_green, one.blue_yellow))
    return np.array(found)


def groups(
    pool: np.ndarray,
    count: int,
    rng: np.random.Generator,
    *,
    score: float = 0.25,
    sure: float = 0.9,
    size: int = 30,
) -> tuple[np.ndarray, np.ndarray]:
    """Means and spreads (count, 6) of groups of parts drawn from a pool of looks."""
    known = np.array([ratios(*row) for row in pool])
    drawn = known[rng.integers(0, len(known), (count, size))]
    confidence = np.clip(rng.normal(sure, 0.03, (count, size, 1)), 0, 1)
    scores = rng.gamma(20, score / 20, (count, size, 1))
    values = np.concatenate([drawn, confidence, scores], 2)
    return values.mean(1), values.std(1)


def line(*pieces: tuple[np.ndarray, np.ndarray], size: int = 30) -> Groups:
    """One after the other, ten minutes each."""
    means, spreads = (np.concatenate([piece[place] for piece in pieces]) for place in (0, 1))
    return Groups(np.arange(len(means)) * 600.0, np.full(len(means), size), means, spreads)


CHANGES = {
    "dark": ({"light": 0.85}, {Cause.LIGHT}, "darker"),
    "bright": ({"light": 1.2}, {Cause.LIGHT}, "brighter"),
    "blurred": ({"blur": 2.2}, {Cause.FOCUS}, "more blurred"),
    "very blurred": ({"blur": 3.5}, {Cause.FOCUS}, "more blurred"),
    "warm": ({"colour": (1.06, 1.0, 0.92)}, {Cause.COLOUR}, "redder and yellower"),
    "warm and dark": ({"colour": (1.06, 1.0, 0.92), "light": 0.75}, {Cause.COLOUR, Cause.LIGHT}, "darker"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", CHANGES)
def test_changed_light_focus_and_colour_are_told_from_each_other(kind: str, change: str) -> None:
    how, causes, said = CHANGES[change]
    rng = np.random.default_rng(5)
    usual, changed = looks(kind, 60), looks(kind, 30, 500, **how)
    found = watch(line(groups(usual, 60, rng), groups(changed, 24, rng, score=0.35)))
    assert len(found) == 1
    assert set(found[0].causes) == causes
    assert said in words(found[0])
    assert "Scores are higher too." in words(found[0])  # explained by the pictures, no alarm of its own
    assert abs(found[0].begun - 60) <= 1
    assert found[0].noticed - found[0].begun <= 8
    assert found[0].ended is None


@pytest.mark.parametrize("kind", KINDS)
def test_harmed_parts_in_the_same_light_point_to_the_material(kind: str) -> None:
    rng = np.random.default_rng(6)
    usual = looks(kind, 60)
    for defect in (DEFECTS[kind][0], DEFECTS[kind][-1]):
        harmed = looks(kind, 30, 500, defect=defect)
        found = watch(line(groups(usual, 60, rng), groups(harmed, 24, rng, score=0.4)))
        assert [one.causes for one in found] == [(Cause.MATERIAL,)]
        assert words(found[0]) == "The pictures are as before, scores are higher: material or process."


def test_a_class_that_is_less_certain_points_to_another_product() -> None:
    rng = np.random.default_rng(7)
    usual = looks("washer", 60)
    found = watch(line(groups(usual, 60, rng), groups(usual, 24, rng, score=0.4, sure=0.7)))
    assert [one.causes[0] for one in found] == [Cause.PRODUCT]
    assert "the class is less certain, scores higher" in words(found[0])


def test_what_was_dark_for_an_hour_begins_and_ends() -> None:
    rng = np.random.default_rng(8)
    usual, dark = looks("cloth", 60), looks("cloth", 30, 500, light=0.8)
    found = watch(line(groups(usual, 60, rng), groups(dark, 12, rng), groups(usual, 60, rng)))
    assert len(found) == 1
    assert found[0].begun == 60
    assert found[0].ended is not None
    assert 72 <= found[0].ended <= 90


def test_200_quiet_days_of_drawn_pictures_give_no_more_alarms_than_promised() -> None:
    rng = np.random.default_rng(9)
    alarms = 0
    for number in range(40):  # 200 days of 24 hours, each five of them a detector of their own
        pool = looks(KINDS[number % 3], 60)
        alarms += len(watch(line(groups(pool, 5 * 144, rng, size=25), size=25)))
    assert alarms <= 200 / QUIET_DAYS


def test_light_that_sways_a_little_over_hours_is_no_alarm_each_time() -> None:
    """A line is never as quiet as chance: what its first day shows of that is part of what is usual."""
    rng = np.random.default_rng(10)
    alarms = 0
    for _ in range(20):
        found = line(groups(looks("washer", 60), 5 * 144, rng))
        sway = np.zeros(len(found.means))
        for at in range(1, len(sway)):
            sway[at] = 0.95 * sway[at - 1] + rng.normal(0, np.sqrt(1 - 0.95**2))
        moved = found.means.copy()
        moved[:, 0] += 0.25 * sway * np.median(found.spreads[:, 0])
        alarms += len(watch(Groups(found.moments, found.parts, moved, found.spreads)))
    assert alarms <= 1


def test_nothing_is_said_before_there_is_a_reference_or_of_looks_that_lack() -> None:
    rng = np.random.default_rng(11)
    usual, dark = looks("cloth", 60), looks("cloth", 30, 500, light=0.7)
    assert watch(line(groups(usual, REFERENCE - 5, rng), groups(dark, 5, rng))) == []
    found = line(groups(usual, 60, rng), groups(dark, 20, rng))
    blind = found.means.copy()
    blind[:, 0] = np.nan
    assert not any(
        one.look is Look.BRIGHTNESS
        for alarm in watch(Groups(found.moments, found.parts, blind, found.spreads))
        for one in alarm.moves
    )


def test_small_groups_are_joined_with_their_mean_and_spread() -> None:
    rng = np.random.default_rng(12)
    sizes = np.array([3, 9, 11, 30, 4])
    single = [rng.normal(5, 2, (n, 6)) for n in sizes]
    slots = Groups(
        np.arange(5) * 600.0,
        sizes,
        np.array([one.mean(0) for one in single]),
        np.array([one.std(0) for one in single]),
    )
    found = joined(slots, 20)
    assert found.parts.tolist() == [23, 30]
    assert found.moments.tolist() == [0, 1800]
    first = np.concatenate(single[:3])
    assert found.means[0] == pytest.approx(first.mean(0))
    assert found.spreads[0] == pytest.approx(first.std(0))
    assert len(joined(Groups(np.empty(0), np.empty(0, int), np.empty((0, 6)), np.empty((0, 6)))).parts) == 0


def test_the_first_part_that_shows_a_change_is_found_among_single_ones() -> None:
    rng = np.random.default_rng(13)
    values = np.concatenate([rng.normal(100, 3, 37), rng.normal(88, 3, 60)])
    assert place_of(values, 100, 88) == 37
    assert place_of(values[::-1].copy(), 88, 100) == 60
