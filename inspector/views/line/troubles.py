"""What stands in a station's way, in sentences, the most urgent first."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspector.stations.watch import StationState

QUIET = timedelta(minutes=5)
"""After so long without a picture it is said that none comes."""
BEHIND = 20
"""So many results that an output wasn't told yet are said."""


def of_state(state: StationState) -> list[str]:
    """From what a running station says of itself."""
    found = [state.blocked, *state.warned, state.source, *(words for _key, words in state.outputs)]
    if state.behind >= BEHIND or (state.behind and state.outputs):
        found.append(f"{state.behind:,} results wait to be told; they are kept, and told in order.")
    if state.dropped:
        found.append(
            f"{state.dropped:,} pictures came faster than they could be judged, and were dropped."
            if state.dropped > 1
            else "1 picture came faster than it could be judged, and was dropped."
        )
    return [words for words in dict.fromkeys(found) if words]


def halted(running: bool, state: StationState | None) -> str:
    """In a word why a station judges nothing, "" where it does: the last answer is then no answer to what lies there."""
    if not running:
        return "Stopped"
    return "Not judging" if state is not None and state.blocked else ""


def nothing_comes(last: datetime | None, since: datetime, now: datetime) -> str:
    """Where no picture came for a while: `last` did (None: never), and the station has run `since`."""
    waited = now - max(since, last or since)
    if waited < QUIET:
        return ""
    minutes = int(waited.total_seconds() // 60)
    long = f"{minutes} min" if minutes < 90 else f"{minutes / 60:.0f} h"
    return f"No picture has come for {long}: nobody triggers, or the camera stands still."
