"""What goes on at a station now, for a window or a terminal that looks whenever it likes."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

from inspector.domain import Decision

_RECENT = 1000


@dataclass(frozen=True, slots=True)
class StationState:
    """`judged`: pictures since this start, of which `said` counts by decision and `failed` could not be judged. `waiting`: there
    and not judged yet; `dropped`: came and were not taken, as the station was too slow. `p95`: seconds from coming to being
    stored that 95 of 100 of the last thousand kept; None before the first. `source`: a sentence on what stands in its way, or "".
    `outputs`: (key, sentence) of those that can't be told; `behind`: arrivals that the slowest wasn't told yet. `blocked`: why
    nothing is judged for now, or "". `warned`: what else people should know, in sentences. `last`: id of the last arrival's result, 0 before the first. `running`: whether it is."""

    running: bool = False
    judged: int = 0
    said: dict[Decision, int] = field(default_factory=dict)
    failed: int = 0
    waiting: int = 0
    dropped: int = 0
    p95: float | None = None
    source: str = ""
    outputs: tuple[tuple[str, str], ...] = ()
    behind: int = 0
    blocked: str = ""
    warned: tuple[str, ...] = ()
    last: int = 0
    run_id: int = 0
    detector_id: int = 0


class Watch:
    """The state of one station. Whoever runs it writes; any thread reads `state`, a frozen whole, at no cost."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._state = StationState()
        self._took: deque[float] = deque(maxlen=_RECENT)
        self._trigger: Callable[[str], bool] | None = None

    @property
    def state(self) -> StationState:
        """As it is now."""
        return self._state

    def trigger(self, job: str = "") -> bool:
        """Let the source take one picture now; False where it can't. Any thread."""
        ask = self._trigger
        return ask is not None and ask(job)

    def triggered_by(self, ask: Callable[[str], bool] | None) -> None:
        """Whom `trigger` asks."""
        self._trigger = ask

    def note(self, **values: Any) -> None:
        """These fields of the state are now so."""
        with self._lock:
            self._state = replace(self._state, **values)

    def stored(self, said: Sequence[Decision | None], took: Sequence[float], last: int) -> None:
        """Pictures were stored: what was said of each (None: it failed), seconds from coming to that, the last result's id."""
        with self._lock:
            self._took.extend(took)
            ranked = sorted(self._took)
            now = self._state
            counts = Counter(now.said)
            counts.update(one for one in said if one is not None)
            self._state = replace(
                now,
                judged=now.judged + len(said),
                said=dict(counts),
                failed=now.failed + sum(one is None for one in said),
                p95=ranked[min(len(ranked) - 1, int(0.95 * len(ranked)))] if ranked else None,
                last=last or now.last,
            )
