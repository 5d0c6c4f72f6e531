"""Whether pictures of a line still look as they did, and if not, what moved: light, focus, colour, or the parts themselves.

Parts are taken in groups. The first `REFERENCE` groups that a detector judged say how pictures look: teaching anew takes the new
looks for the usual ones. From there on an EWMA of the groups' means is held against them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

QUIET_DAYS = 100
"""While nothing changes, at most one false alarm in so many days of 24 hours, all looks together."""
LEAST = 20
"""Parts of a group, at least."""
REFERENCE = 36
"""Groups that say what is usual at first; ten minutes each where a line is quick, so six hours of its work."""
FEWEST = 8
"""Groups of a reference that somebody chose, at least."""
_A_DAY = 144
"""Groups, at most; once so many passed without a move, all of them say what is usual."""
_WEIGHT = 0.2
"""Of the newest group in the EWMA."""
_ROBUST = 0.37
"""How much of what a standard deviation knows the median deviation knows."""
_PARTS = 0.5
"""A move by a smaller share of what parts differ by is none to tell of, however sure it is."""


class Look(StrEnum):
    """What is watched. Sharpness and colours are at equal light (see `ratios`): a darker picture is neither blurred nor green."""

    BRIGHTNESS = "brightness"
    SHARPNESS = "sharpness"
    RED_GREEN = "red or green"
    BLUE_YELLOW = "blue or yellow"
    CONFIDENCE = "confidence in the class"
    SCORE = "score"


LOOKS = tuple(Look)
_BRIGHTNESS, _SHARPNESS, _RED_GREEN, _BLUE_YELLOW, _CONFIDENCE, _SCORE = range(6)
_SMALLEST_SHARE = np.array([0.02, 0.10, 0.0, 0.0, 0.0, 0.02])
_SMALLEST = np.array([0.0, 0.0, 0.01, 0.01, 0.02, 0.0])
"""Moves that no one would see: of the usual value, and as they are."""


class Cause(StrEnum):
    """What has probably moved."""

    LIGHT = "light or exposure"
    FOCUS = "focus"
    COLOUR = "lamp or white balance"
    PRODUCT = "another product, or how it lies"
    MATERIAL = "material or process"


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Groups of parts in their order. `moments` [g]: when each began, in seconds; `parts` [g]; `means`, `spreads` [g, looks]: of
    `LOOKS`, NaN where a group has none; `spreads` are standard deviations of single parts."""

    moments: NDArray[np.float64]
    parts: NDArray[np.int64]
    means: NDArray[np.float64]
    spreads: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Move:
    """One look left its usual values: from group `begun` on, noticed at `noticed`; `ended`: the group that is back, None while it
    lasts. `before`, `now`: means of the reference and since."""

    look: Look
    begun: int
    noticed: int
    ended: int | None
    before: float
    now: float


@dataclass(frozen=True, slots=True)
class Alarm:
    """Moves that belong together. `causes`: probable ones, what counts most first. `moves`: the one that tells it most clearly
    first."""

    causes: tuple[Cause, ...]
    moves: tuple[Move, ...]

    @property
    def begun(self) -> int:
        """The first group that shows it."""
        return min(one.begun for one in self.moves)

    @property
    def noticed(self) -> int:
        """The group at which it was sure."""
        return min(one.noticed for one in self.moves)

    @property
    def ended(self) -> int | None:
        """The group from which on all is as usual again; None while it lasts."""
        ends = [one.ended for one in self.moves]
        return None if None in ends else max(end for end in ends if end is not None)


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What somebody chose to say how pictures usually look. `of`: the groups of it for each of `LOOKS`; `until`: the moment, in seconds,
    from which on groups are held against it."""

    of: tuple[Groups, ...]
    until: float


def ratios(
    brightness: float, sharpness: float, red_green: float, blue_yellow: float
) -> tuple[float, float, float, float]:
    """The first four of `LOOKS` of one picture: sharpness by the square of the brightness, colours by the brightness."""
    light = max(brightness, 1.0)
    return brightness, sharpness / light**2, red_green / light, blue_yellow / light


def joined(slots: Groups, least: int = LEAST) -> Groups:
    """Neighbouring groups put together until each has `least` parts; what is left at the end waits for more."""
    ends, count = [], 0
    for place, parts in enumerate(slots.parts.tolist()):
        count += parts
        if count >= least:
            ends.append(place + 1)
            count = 0
    starts = [0, *ends[:-1]] if ends else []
    if not starts:
        nothing = np.empty((0, slots.means.shape[1]))
        return Groups(np.empty(0), np.empty(0, np.int64), nothing, nothing)
    upto = ends[-1]
    known = np.isfinite(slots.means[:upto])
    weights = slots.parts[:upto, None] * known
    means = np.where(known, slots.means[:upto], 0)
    squares = np.where(known, slots.spreads[:upto] ** 2 + means**2, 0)
    total = np.add.reduceat(weights, starts)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.add.reduceat(weights * means, starts) / total
        spread = np.sqrt(np.maximum(np.add.reduceat(weights * squares, starts) / total - mean**2, 0))
    return Groups(slots.moments[starts], np.add.reduceat(slots.parts[:upto], starts), mean, spread)


def watch(groups: Groups, reference: Reference | None = None) -> list[Alarm]:
    """What moved, in order of time. Nothing is said of the reference itself, nor of looks that no group of it has, or, of a chosen one,
    fewer than `FEWEST`."""
    moves = [move for place in range(len(LOOKS)) for move in _moves(groups, place, reference)]
    return _told(moves)


def place_of(values: NDArray[np.float64], before: float, now: float) -> int:
    """The first of `values` [parts], in their order, from which on they are nearer to `now` than to `before`."""
    towards = np.where(np.isfinite(values), values - (before + now) / 2, 0.0) * math.copysign(
        1.0, now - before
    )
    gains = np.cumsum(np.clip(towards, -abs(now - before), abs(now - before))[::-1])[::-1]
    return int(gains.argmax()) if len(gains) else 0


def words(alarm: Alarm) -> str:
    """What changed and what it points to, as a sentence; without when."""
    told = {one.look: one for one in alarm.moves}
    main = alarm.causes[0]
    if main in (Cause.LIGHT, Cause.FOCUS, Cause.COLOUR):
        how = [_how(told[look]) for look in LOOKS[:4] if look in told and _counts(look, alarm.causes)]
        also = " Scores are higher too." if _rises(told.get(Look.SCORE)) else ""
        pictures = "The pictures themselves are " + " and ".join(how)
        return f"{pictures}: {', '.join(alarm.causes)}.{also}"
    if main is Cause.PRODUCT:
        also = ", scores higher" if _rises(told.get(Look.SCORE)) else ""
        return f"Light, focus and colour as before, the class is less certain{also}: {main}."
    higher = "higher" if _rises(told[Look.SCORE]) else "lower"
    return f"The pictures are as before, scores are {higher}: {main}."


def limit(usual: float, parts_differ: float, place: int) -> float:
    """The smallest move of look number `place` to tell of, from its `usual` value and what single parts differ by."""
    return float(max(_PARTS * parts_differ, _SMALLEST_SHARE[place] * abs(usual), _SMALLEST[place]))


@dataclass(frozen=True, slots=True)
class _Usual:
    """What `size` groups of reference say of a look. `centre`; `differ`: deviation of single parts; `chance`: the variance that it
    leaves of a group's mean; `unrest`: that of the line itself beyond, which may last for hours and so doesn't average out."""

    centre: float
    differ: float
    chance: float
    unrest: float
    size: int


def _usual(values: NDArray[np.float64], spreads: NDArray[np.float64], parts: NDArray[np.int64]) -> _Usual:
    centre = float(np.median(values))
    differ = float(np.nanmedian(spreads))
    between = 1.4826 * float(np.median(np.abs(values - centre)))
    chance = differ**2 / float(np.median(parts))
    return _Usual(centre, differ, chance, max(between**2 - chance, 0.0), len(values))


def _moves(groups: Groups, place: int, reference: Reference | None) -> list[Move]:
    """By what was chosen; else by the first `REFERENCE` groups, and once a whole day of groups has passed without a move, by that
    day."""
    known = np.flatnonzero(np.isfinite(groups.means[:, place]))
    if reference is not None:
        chosen = reference.of[place]
        own = np.flatnonzero(np.isfinite(chosen.means[:, place]))
        start = int(np.searchsorted(groups.moments[known], reference.until))
        return _left(groups, place, known, chosen, own, start) if len(own) >= FEWEST else []
    if len(known) < REFERENCE:
        return []
    found = _from_first(groups, place, known[:_A_DAY], REFERENCE)
    if len(known) <= _A_DAY:
        return found
    return _from_first(groups, place, known, REFERENCE if found else _A_DAY)


def _from_first(groups: Groups, place: int, known: NDArray[np.int64], size: int) -> list[Move]:
    return _left(groups, place, known, groups, known[:size], size)


def _left(
    groups: Groups,
    place: int,
    known: NDArray[np.int64],
    chosen: Groups,
    own: NDArray[np.int64],
    start: int,
) -> list[Move]:
    """Moves among the groups `known`, from the one at `start` on, from what the groups `own` of `chosen` say."""
    from scipy.special import stdtrit

    values, parts = groups.means[known, place], groups.parts[known]
    usual = _usual(chosen.means[own, place], chosen.spreads[own, place], chosen.parts[own])
    size = usual.size
    sure = -float(stdtrit(max(4.0, _ROBUST * (size - 1)), 1 / (QUIET_DAYS * _A_DAY * len(LOOKS)) / 2))
    least = limit(usual.centre, usual.differ, place)
    found: list[Move] = []
    ewma, variance = usual.centre, 0.0
    noticed: int | None = None
    for number in range(start, len(known)):
        ewma += _WEIGHT * (values[number] - ewma)
        variance = (1 - _WEIGHT) ** 2 * variance + _WEIGHT**2 * usual.differ**2 / parts[number]
        expected = variance + usual.chance / size + 1.25 * usual.unrest
        beyond = abs(ewma - usual.centre) > max(sure * math.sqrt(expected), least)
        if beyond and noticed is None:
            noticed = number
        elif not beyond and noticed is not None:
            found.append(_move(values, known, (start, noticed, number), usual.centre, place))
            start, noticed = number, None
    if noticed is not None:
        found.append(_move(values, known, (start, noticed, None), usual.centre, place))
    return found


def _move(
    values: NDArray[np.float64],
    known: NDArray[np.int64],
    when: tuple[int, int, int | None],
    usual: float,
    place: int,
) -> Move:
    """`values` of the groups `known`. `when`: where among them to look for the beginning from, where it was noticed, where it ended."""
    start, noticed, ended = when
    seen = values[start : noticed + 1] - usual
    sums = np.cumsum(seen[::-1])[::-1]
    begun = start + int((sums**2 / np.arange(len(seen), 0, -1)).argmax())  # the likeliest step
    since = values[begun : ended or len(known)]
    now = float((since[1:] if len(since) > 2 else since).mean())  # the first group may be half of before
    ends = None if ended is None else int(known[ended])
    return Move(LOOKS[place], int(known[begun]), int(known[noticed]), ends, usual, now)


_TOGETHER = 3
"""Groups by which moves of one change may begin apart."""


def _told(moves: Sequence[Move]) -> list[Alarm]:
    """Moves that overlap in one alarm. A change of the pictures explains what the detector says of them, so scores and confidence
    stand on their own only where the pictures are as before."""
    together: list[list[Move]] = []
    for move in sorted(moves, key=lambda one: (LOOKS.index(one.look) >= _CONFIDENCE, one.begun)):
        home = next((found for found in together if any(_overlap(move, one) for one in found)), None)
        together.append([move]) if home is None else home.append(move)
    alarms = [alarm for found in together for alarm in _alarm(found)]
    return sorted(alarms, key=lambda one: one.begun)


def _overlap(one: Move, other: Move) -> bool:
    if LOOKS.index(one.look) < _CONFIDENCE and abs(one.begun - other.begun) > _TOGETHER:
        return False
    last = math.inf if other.ended is None else other.ended
    return other.begun - _TOGETHER <= one.begun <= last or abs(one.begun - other.begun) <= _TOGETHER


def _alarm(moves: list[Move]) -> list[Alarm]:
    told: dict[Look, Move] = {}
    for one in moves:
        told.setdefault(one.look, one)
    light, sharp = (_share(told.get(look)) for look in (Look.BRIGHTNESS, Look.SHARPNESS))
    colour = max(
        (abs(told[k].now - told[k].before) for k in (Look.RED_GREEN, Look.BLUE_YELLOW) if k in told),
        default=0,
    )
    causes = []
    # Highlights clip and noise grows with less light, so that sharpness follows strong changes of it a little.
    if focus := sharp >= _SMALLEST_SHARE[_SHARPNESS] and sharp >= 3 * light:
        causes.append((sharp / _SMALLEST_SHARE[_SHARPNESS], Cause.FOCUS))
    # What is blurred mixes its colours, and is brighter where it was full of contrast.
    if light > 0 and not (focus and light < 0.05):
        causes.append((light / _SMALLEST_SHARE[_BRIGHTNESS], Cause.LIGHT))
    if colour > 0 and not (focus and colour < 0.05):
        causes.append((colour / _SMALLEST[_RED_GREEN], Cause.COLOUR))
    if not causes and sharp > 0:
        causes.append((1.0, Cause.FOCUS))
    if not causes and Look.CONFIDENCE in told and told[Look.CONFIDENCE].now < told[Look.CONFIDENCE].before:
        causes.append((1.0, Cause.PRODUCT))
    if not causes and Look.SCORE in told:
        causes.append((1.0, Cause.MATERIAL))
    if not causes:  # more certain than before: nothing to warn of
        return []
    named = tuple(cause for _, cause in sorted(causes, key=lambda one: -one[0]))
    telling = sorted(moves, key=lambda one: not _counts(one.look, named[:1]))
    return [Alarm(named, tuple(telling))]


_OF = {
    Look.BRIGHTNESS: Cause.LIGHT,
    Look.SHARPNESS: Cause.FOCUS,
    Look.RED_GREEN: Cause.COLOUR,
    Look.BLUE_YELLOW: Cause.COLOUR,
    Look.CONFIDENCE: Cause.PRODUCT,
    Look.SCORE: Cause.MATERIAL,
}


def _counts(look: Look, causes: Sequence[Cause]) -> bool:
    return _OF[look] in causes


def _share(move: Move | None) -> float:
    return 0.0 if move is None or not move.before else abs(move.now / move.before - 1)


def _rises(move: Move | None) -> bool:
    return move is not None and move.now > move.before


def _how(move: Move) -> str:
    up = move.now > move.before
    share = f" by {_share(move) * 100:.0f}\u00a0%"
    return {
        Look.BRIGHTNESS: ("brighter" if up else "darker") + share,
        Look.SHARPNESS: ("sharper" if up else "more blurred") + share,
        Look.RED_GREEN: "redder" if up else "greener",
        Look.BLUE_YELLOW: "bluer" if up else "yellower",
    }[move.look]
