"""How well people, and the detector, agree with what parts are known to be, with themselves and with each other: the figures of an
attribute agreement study (AIAG, Measurement Systems Analysis, 4th edition). A word is a bool here: NG is True."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95


class Grade(StrEnum):
    """What a figure, or whoever judged, is worth; from good to bad."""

    ACCEPTABLE = "acceptable"
    MARGINAL = "marginal"
    NOT_ACCEPTABLE = "not acceptable"


EFFECTIVENESS, MISSES, FALSE_ALARMS = (0.90, 0.80), (0.02, 0.05), (0.05, 0.10)
"""(acceptable, marginal): effectiveness is at least, the others are at most that."""
_ORDER = list(Grade)


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `of`, with `low` and `high` (0–1), the ends of its 95 % interval by Clopper and Pearson."""

    count: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """0–1; NaN of nothing."""
        return self.count / self.of if self.of else math.nan


@dataclass(frozen=True, slots=True)
class Kappa:
    """`value`: 1 agrees always, 0 as often as by chance. `low`, `high`: its 95 % interval, None where no word differs and so
    nothing tells how far it may be off."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one who judged. `effective`: parts of which all words are the same and right; `repeated`: the same. `misses`: NG parts called
    OK, of all words on NG parts; `false_alarms`: OK parts called NG. `kappa`: with what the parts are known to be; None where
    either is always the same word. `parts`: how many all words were said of."""

    name: str
    parts: int
    trials: int
    effective: Share
    repeated: Share
    misses: Share
    false_alarms: Share
    kappa: Kappa | None

    @property
    def grades(self) -> tuple[Grade | None, Grade | None, Grade | None]:
        """Of effectiveness, misses and false alarms; None where there were no such parts."""
        effective, missed, alarmed = self.effective, self.misses, self.false_alarms
        return (
            _at_most(1 - effective.value, *(1 - limit for limit in EFFECTIVENESS)),
            _at_most(missed.value, *MISSES),
            _at_most(alarmed.value, *FALSE_ALARMS),
        )

    @property
    def grade(self) -> Grade | None:
        """The worst of them; None where one of them can't be told and the others are well."""
        known = [one for one in self.grades if one is not None]
        worst = max(known, key=_ORDER.index, default=None)
        return worst if len(known) == 3 or worst is not Grade.ACCEPTABLE else None


@dataclass(frozen=True, slots=True)
class Pair:
    """How two who judged agree, the same trials compared; `kappa` as in `Figures`."""

    first: str
    second: str
    kappa: Kappa | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of all who judged. `alike`: parts on which every word of all people is the same (reproducibility); `right`: the same and right.
    `fleiss`: kappa of all their words together. These three are None for fewer than two people. `good`, `bad`: parts by what they
    are known to be."""

    good: int
    bad: int
    people: tuple[Figures, ...]
    detector: Figures | None
    pairs: tuple[Pair, ...]
    alike: Share | None
    right: Share | None
    fleiss: float | None


def agreement(
    expected: NDArray[np.bool_],
    words: Mapping[str, NDArray[np.float64]],
    detector: NDArray[np.float64],
    detector_name: str = "Detector",
) -> Agreement:
    """All figures of a study. `expected` [parts]: whether each is NG. `words`: of each person, [parts, trials], 1 for NG, 0 for OK and
    NaN for none; a part counts for somebody once all trials have a word, and between people once all of them have. `detector`
    [parts]: likewise."""
    people = tuple(figures(name, expected, said) for name, said in words.items())
    people = tuple(one for one in people if one.parts)
    judged = {one.name: words[one.name] for one in people}
    pairs = tuple(
        Pair(first, second, _kappa_of(judged[first], judged[second]))
        for first, second in combinations(judged, 2)
    )
    machine = figures(detector_name, expected, detector[:, None])
    alike = right = fleiss = None
    if len(judged) > 1:
        together = np.concatenate([*judged.values()], axis=1)
        whole = ~np.isnan(together).any(axis=1)
        said, known = together[whole] == 1, expected[whole]
        same = (said == said[:, :1]).all(axis=1)
        parts = len(said)
        alike = share(int(same.sum()), parts, parts)
        right = share(int((same & (said[:, 0] == known)).sum()), parts, parts)
        fleiss = fleiss_kappa(said)
    return Agreement(
        good=int((~expected).sum()),
        bad=int(expected.sum()),
        people=people,
        detector=machine if machine.parts else None,
        pairs=pairs,
        alike=alike,
        right=right,
        fleiss=fleiss,
    )


def figures(name: str, expected: NDArray[np.bool_], words: NDArray[np.float64]) -> Figures:
    """Of one who judged: `expected` [parts], `words` [parts, trials] as `agreement` takes them."""
    whole = ~np.isnan(words).any(axis=1)
    known, said = expected[whole], words[whole] == 1
    parts, trials = said.shape
    same = (said == said[:, :1]).all(axis=1) if trials else np.zeros(parts, bool)
    right = (said == known[:, None]).all(axis=1)
    bad, good = said[known], said[~known]
    reference = np.broadcast_to(known[:, None], said.shape).astype(np.float64)
    return Figures(
        name=name,
        parts=parts,
        trials=trials,
        effective=share(int(right.sum()), parts, parts),
        repeated=share(int(same.sum()), parts, parts),
        misses=share(int((~bad).sum()), bad.size, len(bad)),
        false_alarms=share(int(good.sum()), good.size, len(good)),
        kappa=_kappa_of(reference, said.astype(np.float64)),
    )


def share(count: int, of: int, parts: int) -> Share:
    """`count` of `of`, its interval as of so many `parts`: words on the same part hang together, so that a part counts once however
    often it was judged."""
    from scipy.special import betaincinv

    if not of:
        return Share(0, 0, 0.0, 1.0)
    tail, hits = (1 - CONFIDENCE) / 2, count / of * parts
    low = float(betaincinv(hits, parts - hits + 1, tail)) if count else 0.0
    high = float(betaincinv(hits + 1, parts - hits, 1 - tail)) if count < of else 1.0
    return Share(count, of, low, high)


def cohen_kappa(table: NDArray[np.float64], parts: int) -> Kappa | None:
    """Of two who judged: `table` [2, 2], how often the one said the row's word and the other the column's. Its interval is that of
    Fleiss, Cohen and Everitt (1969), as of so many `parts`. None where both said one and the same word only."""
    total = float(table.sum())
    if not total:
        return None
    p = table / total
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    chance = float(rows @ columns)
    if chance > 1 - 1e-12:
        return None
    value = (float(np.trace(p)) - chance) / (1 - chance)
    if np.trace(p) > 1 - 1e-12:
        return Kappa(1.0, None, None)
    sums = rows[None, :] + columns[:, None]  # of cell (i, j): the row total of j and the column total of i
    crossed = float((p * sums**2).sum() - (np.diag(p) * np.diag(sums) ** 2).sum())
    agreed = float((np.diag(p) * (1 - np.diag(sums) * (1 - value)) ** 2).sum())
    spread = agreed + (1 - value) ** 2 * crossed - (value - chance * (1 - value)) ** 2
    error = math.sqrt(max(spread, 0.0) / parts) / (1 - chance)
    reach = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * error
    return Kappa(value, max(-1.0, value - reach), min(1.0, value + reach))


def fleiss_kappa(words: NDArray[np.bool_]) -> float | None:
    """Of all words together: `words` [parts, words of each]. None where there is only one word, or fewer than two of each part."""
    parts, each = words.shape
    if not parts or each < 2:
        return None
    counts = np.stack([(~words).sum(axis=1), words.sum(axis=1)], axis=1).astype(np.float64)
    agreed = float(((counts**2).sum(axis=1) - each).mean() / (each * (each - 1)))
    chance = float(((counts.sum(axis=0) / counts.sum()) ** 2).sum())
    return None if chance > 1 - 1e-12 else (agreed - chance) / (1 - chance)


def _kappa_of(first: NDArray[np.float64], second: NDArray[np.float64]) -> Kappa | None:
    """Of words [parts, trials], trial by trial; parts that lack any are left out."""
    whole = ~(np.isnan(first).any(axis=1) | np.isnan(second).any(axis=1))
    one, other = first[whole] == 1, second[whole] == 1
    table = [[(~one & ~other).sum(), (~one & other).sum()], [(one & ~other).sum(), (one & other).sum()]]
    return cohen_kappa(np.array(table, np.float64), len(one))


def _at_most(value: float, acceptable: float, marginal: float) -> Grade | None:
    if math.isnan(value):
        return None
    slack = 1e-9  # 0.1 and 1 - 0.9 are the same limit
    if value <= acceptable + slack:
        return Grade.ACCEPTABLE
    return Grade.MARGINAL if value <= marginal + slack else Grade.NOT_ACCEPTABLE
