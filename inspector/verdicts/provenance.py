"""Where thresholds come from and what they promise: what is kept with them, and how it is said."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeGuard

from inspector.domain import Thresholds

_WIDEST = 10.0
"""No spread of good parts is wider."""
BY_HAND = "moved by hand"
"""How provenance says that a person chose the numbers."""


class Basis(StrEnum):
    """What thresholds can be set by."""

    GOOD = "good parts"
    DEFECTS = "every marked defect"
    BALANCE = "best F1"


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of good parts called NG (0–1): what was `wanted`, what is `expected` if good parts vary as they usually do, and
    what, `certain`, isn't exceeded 19 times out of 20 whatever they do."""

    wanted: float
    expected: float
    certain: float


def moment() -> str:
    """Now, as provenance keeps it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def moved_by_hand(chosen: Thresholds, found: Thresholds | None, who: str) -> Thresholds:
    """Numbers that a person `chosen`, with words that say so: no promise goes along. `found`: what teaching set."""
    ng = found.ng if found and found.calls_ng else None
    before = {"review": found.review, "ng": ng, "pixel": found.pixel} if found else None
    told = {"method": BY_HAND, "who": who, "date": moment(), "promised": False, "found": before}
    return replace(chosen, provenance=told)


def is_chosen(chosen: Thresholds) -> bool:
    """Whether a person chose the numbers, or what they are to find, rather than good parts alone."""
    return chosen.provenance.get("method") in (BY_HAND, Basis.DEFECTS, Basis.BALANCE)


def good_parts(chosen: Thresholds) -> dict[int, float]:
    """Image → score of the parts confirmed good that thresholds were set from; without what damage left."""
    stored = chosen.provenance.get("good")
    if not isinstance(stored, dict):
        return {}
    return {int(key): float(score) for key, score in stored.items() if key.isdecimal() and _is_number(score)}


def shots_shown(found: Thresholds) -> dict[str, Any] | None:
    """What the shots showed, of thresholds that teaching `found`: all that sets them anew. `usual` is None where an earlier
    version didn't keep it. None where something lacks or can't be."""
    told = dict(found.provenance)
    scores, rate = told.get("scores"), told.get("wanted_rate")
    if not isinstance(scores, list) or not scores or not all(map(_is_number, scores)):
        return None
    if not _is_number(rate) or not 0 < rate < 1:
        return None
    single = str(told.get("source", "")).startswith("altered")
    told.setdefault("usual", None)
    told.setdefault("shots", 1 if single else len(scores))
    told.setdefault("independent", True)
    told.setdefault("outliers", [])
    spread = told.get("usual_spread", 1)
    sound = (
        (told["usual"] is None or _is_number(told["usual"]))
        and (type(told["shots"]) is int and told["shots"] > 0)
        and isinstance(told["independent"], bool)
        and isinstance(told["outliers"], list)
        and _is_number(spread)
        and 0 < spread <= _WIDEST
    )
    return told if sound else None


def rates(chosen: Thresholds) -> Rates | None:
    """What thresholds were set for; None where people chose the numbers or an earlier version found them."""
    told = chosen.provenance
    found = [told.get(key) for key in ("wanted_rate", "expected_rate", "certain_rate")]
    if not all(map(_is_number, found)):
        return None
    wanted, expected, certain = map(float, found)  # type: ignore[arg-type]
    return Rates(wanted, expected, certain) if chosen.calls_ng else Rates(wanted, 0.0, 0.0)


def words(chosen: Thresholds) -> str:
    """Where thresholds come from and what they promise, in plain sentences; "" when nothing is known."""
    try:
        return _words(chosen)
    except (KeyError, TypeError, ValueError, OverflowError):
        return "How these thresholds came about can't be read any more; nothing is promised."


def _words(chosen: Thresholds) -> str:
    told = chosen.provenance
    if told.get("method") == BY_HAND:
        who = f" by {told['who']}" if told.get("who") else ""
        found = told.get("found")
        before = (
            f" Teaching had found review {found['review']:.3f}, NG {number(found['ng'])}." if found else ""
        )
        return f"Moved by hand{who}{_on(told.get('date'))}; nothing is promised.{before}"
    if isinstance(marked := told.get("marked"), dict):
        return _steered(str(told.get("method", "")), marked)
    parts, wanted = told.get("good_parts"), told.get("wanted_rate")
    if parts is None or wanted is None:
        return ""
    source, more = _source(told, parts), told.get("more_shots", 0)
    if not chosen.calls_ng:
        return f"{source} One part doesn't tell how good parts differ, so nothing is called NG: confirm good parts or add shots."
    if told.get("promised"):
        return f"{source} On average at most {percent(wanted)} of good parts are called NG{_certainly(told)}."
    source = f"{source} Wanted: {percent(wanted)} of good parts called NG."
    if told.get("picked") and not more:
        return f"{source} Some were picked out of their run, so nothing is promised: confirm the rest of it."
    doubtful = len(told.get("outliers", ())) - len(told.get("confirmed", ()))
    if doubtful:
        one = doubtful == 1
        return (
            f"{source} {doubtful} shot{'' if one else 's'} stand{'s' if one else ''} out from the others; nothing is "
            f"promised until somebody has said that {'it is' if one else 'they are'} good."
        )
    needed = f"{more} more good part{'' if more == 1 else 's'}"
    if not told.get("independent", True):
        return f"{source} Only parts that taught nothing can promise it: confirm {needed} in the results."
    return (
        f"{source} {percent(told.get('attainable_rate', 1.0))} is the best that can be promised; {needed}, added as "
        f"shots or confirmed in the results, let you promise {percent(wanted)}."
    )


def percent(rate: float) -> str:
    """0.05 → “5 %”."""
    return f"{rate * 100:.2g} %" if rate < 0.0995 else f"{rate * 100:.0f} %"


def number(threshold: float | None) -> str:
    """A threshold for people; “never” where no score reaches it, or there is none."""
    never = threshold is None or not Thresholds(0, threshold, 0).calls_ng
    return "never" if never else f"{threshold:.3f}"


def _steered(basis: str, marked: Mapping[str, int]) -> str:
    bad, missed, good, above = (marked[key] for key in ("defective", "missed", "good", "good_ng"))
    marks = f"{bad} part{'' if bad == 1 else 's'} marked defective"
    if basis == Basis.DEFECTS:
        found = f"Set so that {marks} {'is' if bad == 1 else 'are all'} NG"
    else:
        found = (
            f"Set for the best F1 score: NG {'is' if bad - missed == 1 else 'are'} {bad - missed} of {marks}"
        )
    return f"{found}, and {above} of {good} confirmed good. Nothing is promised of others."


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _source(told: Mapping[str, Any], parts: int) -> str:
    good = told.get("confirmed_parts", len(told.get("good", ())))
    confirmed = f"{good} part{'' if good == 1 else 's'} confirmed good"
    if good and parts == good:
        return f"From {confirmed}."
    also = f", and {confirmed}" if good else ""
    if str(told.get("source", "")).startswith("altered"):
        return f"From altered views of one normal shot{also}."
    shots = parts - good
    of = f"{shots} normal shot{'s' if shots != 1 else ''}"
    if told.get("independent", True):
        return f"From {of}, each left out once{also}."
    return f"From {of}, each left out of the memory, though the prompts had seen it{also}."


def _certainly(told: Mapping[str, Any]) -> str:
    certain = told.get("certain_rate")
    return f", almost certainly no more than {percent(certain)}" if certain is not None else ""


def _on(date: object) -> str:
    """ " on 26 Nov 2026 14:03", in the time of this place; "" for what is no date."""
    try:
        return f" on {datetime.fromisoformat(str(date)).astimezone():%d %b %Y %H:%M}"
    except ValueError:
        return ""
