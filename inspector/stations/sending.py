"""Telling a station's outputs of its results: each on a thread of its own, in order, none left out.

A result is stored before anybody is told of it, and stays: what is still to be told is read from the project whenever an output is
ready for it, so that nothing waits in memory, and who was away for a night catches up in order. An output is told again what it
may not have got: after a failure, and after this program was killed before it noted what was taken.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType

from inspector.errors import Cancelled, InspectorError, ProjectError
from inspector.records.line.arrivals import ArrivalRow, list_arrivals
from inspector.records.line.deliveries import count_arrivals, leave_out, note_told, told_up_to
from inspector.records.line.stations import Part, StationRow
from inspector.records.project import Project
from inspector.stations.output import Output
from inspector.stations.outputs.catalogue import make_output
from inspector.stations.outputs.link import SKIP_AFTER, Link, Refused
from inspector.text import reason

BATCH = 500
"""Arrivals that are read at a time."""
NOTED_EVERY = 0.25
"""Seconds between two notes of what was taken while a batch is under way."""
LOOKED_EVERY = 5.0
"""Seconds after which an output with nothing to tell is asked whether its receiver is there."""
PATIENCE = 0.9
"""Seconds that all outputs together have to end."""

_log = logging.getLogger("inspector.stations")


class Sending:
    """The outputs of a running station; a context manager. `pauses`: seconds between attempts while a receiver can't be reached, the
    first and the longest. `trigger`: see `Link`."""

    def __init__(
        self,
        project: Project,
        station: StationRow,
        *,
        pauses: tuple[float, float] = (0.5, 30.0),
        trigger: Callable[[str], bool] = lambda _job: False,
    ) -> None:
        """Raises `ProjectError` where the station's settings are damaged."""
        if station.settings is None:
            raise ProjectError(
                f"The settings of the station “{station.name}” are damaged, so it can't be started.",
                "Set it up anew on the Line page.",
            )
        self._tellers: dict[str, _Teller] = {}
        for number, part in enumerate(station.settings.outputs, 1):
            key = part.key or part.kind
            if key in self._tellers:
                key = f"{key}-{number}"
            self._tellers[key] = _Teller(project, station, part, key, (pauses, trigger))

    def __enter__(self) -> "Sending":
        for one in self._tellers.values():
            one.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends within a second. What is not told yet is told when the station runs again."""
        for one in self._tellers.values():
            one.stop()
        until = time.monotonic() + PATIENCE
        for key, one in self._tellers.items():
            if not one.wait(until - time.monotonic()):
                _log.warning(
                    "the output %s still waits for its receiver and ends by itself; its results are told again",
                    key,
                )

    def note(self) -> None:
        """There are new results. Returns at once; any thread may call."""
        for one in self._tellers.values():
            one.wake()

    @property
    def states(self) -> Mapping[str, str]:
        """What stands in the way of each output, as a sentence; "" when it is well. Any thread may ask."""
        return {key: one.state for key, one in self._tellers.items()}

    @property
    def behind(self) -> Mapping[str, int]:
        """How many results each output was not told yet. Reads from the project (not from the thread of a window)."""
        return {key: one.behind() for key, one in self._tellers.items()}


class _Teller:
    """One output and its thread."""

    def __init__(
        self,
        project: Project,
        station: StationRow,
        part: Part,
        key: str,
        how: tuple[tuple[float, float], Callable[[str], bool]],
    ) -> None:
        self._project, self._station, self._part, self._key = project, station, part, key
        self._pauses, trigger = how
        self._stopping, self._woken = threading.Event(), threading.Event()
        self._link = Link(project, station, self._stopping, self._taken, self._say, trigger)
        self._thread = threading.Thread(target=self._run, name=f"output {key}", daemon=True)
        self._trouble = self._unnoted = self._left_out = ""
        self._skipped = 0
        self._took_since = True  # anything since one was left out
        self._refused = (0, 0)  # the arrival that was refused last, and how often
        self._skip_after = 0
        self._told = self._noted = 0
        self._noted_at = 0.0
        self._counting = threading.Lock()
        self._counted = (0, 0)  # so many wait, as far as up to this arrival
        self._told_when_counted = 0

    def start(self) -> None:
        self._told = self._noted = self._told_when_counted = told_up_to(
            self._project, self._station.id, self._key
        )
        self._counted = (0, self._told)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._woken.set()

    def wait(self, seconds: float) -> bool:
        if self._thread.ident is not None:
            self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    def wake(self) -> None:
        self._woken.set()

    @property
    def state(self) -> str:
        return " ".join(filter(None, (self._trouble, self._unnoted, self._left_out)))

    def behind(self) -> int:
        """Counts only what came or was told since it last counted."""
        with self._counting:
            if not self._stopping.is_set():
                count, up_to = self._counted
                told = self._told
                try:
                    if told >= up_to:
                        count, up_to = 0, told
                    elif told > self._told_when_counted:
                        count -= self._count(self._told_when_counted, told)
                    more, up_to = count_arrivals(self._project, self._station.id, after=up_to)
                    self._counted, self._told_when_counted = (count + more, up_to), told
                except InspectorError as error:  # the station says so itself
                    _log.warning("what waits for %s could not be counted: %s", self._key, error)
            return self._counted[0]

    def _count(self, after: int, up_to: int) -> int:
        return count_arrivals(self._project, self._station.id, after=after, up_to=up_to)[0]

    def _run(self) -> None:
        output: Output | None = None
        pause = self._pauses[0]
        while not self._stopping.is_set():
            try:
                if output is None:
                    output = self._open()
                if not self._deliver(output):
                    self._rest(LOOKED_EVERY)
                pause = self._pauses[0]
            except Cancelled:
                break
            except Exception as error:
                self._failed(error)
                self._close(output)
                output = None
                self._note()
                self._rest(pause, though_woken=True)
                pause = min(2 * pause, self._pauses[1])
        self._note()
        self._close(output)

    def _open(self) -> Output:
        output = make_output(self._part, self._link)
        self._skip_after = int(float(self._part.values.get(SKIP_AFTER.name, 0)))
        try:
            output.send(())
        except BaseException:
            self._close(output)
            raise
        return output

    def _close(self, output: Output | None) -> None:
        if output is not None:
            try:
                output.close()
            except Exception:
                _log.exception("the output %s did not close well", self._key)

    def _deliver(self, output: Output) -> bool:
        """Whether there was anything to tell."""
        arrivals = list_arrivals(self._project, self._station.id, after=self._told, limit=BATCH)
        try:
            output.send(arrivals)
        except Refused as error:
            if not self._may_leave_out(arrivals, error):
                raise
            return True
        if arrivals:
            self._told = arrivals[-1].id
        self._note()
        self._say("")
        return bool(arrivals)

    def _may_leave_out(self, arrivals: list[ArrivalRow], error: Refused) -> bool:
        refused, times = self._refused
        self._refused = (error.arrival_id, times + 1 if refused == error.arrival_id else 1)
        found = [one for one in arrivals if one.id == error.arrival_id]
        if not found or not self._skip_after or self._refused[1] < self._skip_after:
            return False
        if not error.surely and not self._took_since:  # two in a row: it is ill, and takes none
            return False
        leave_out(self._project, self._station.id, self._key, found[0], error.message)
        self._told = self._noted = found[0].id
        self._took_since = False
        self._skipped += 1
        self._left_out = (
            f"Left out {self._skipped} that the receiver refused, the last one “{found[0].name}” (result {found[0].id}): "
            f"{error.message}"
        )
        _log.error(
            "%s was not told of result %d (%s): %s", self._key, found[0].id, found[0].name, error.message
        )
        self._say("")
        return True

    def _failed(self, error: Exception) -> None:
        expected = isinstance(error, InspectorError)
        said = str(error) if expected else f"It failed unexpectedly ({reason(error)}), and is tried again."
        if said != self._trouble:  # not with every attempt
            _log.warning("output %s: %s", self._key, said, exc_info=None if expected else error)
        self._say(said)

    def _say(self, sentence: str) -> None:
        if self._trouble and not sentence:
            _log.info("output %s is well again", self._key)
        self._trouble = sentence

    def _taken(self, arrival_id: int) -> None:
        self._told = max(self._told, arrival_id)
        self._took_since = True
        if time.monotonic() - self._noted_at >= NOTED_EVERY:
            self._note()

    def _note(self) -> None:
        """Never raises: it is noted later, and until then told again only after a crash."""
        told = self._told
        if told == self._noted:
            return
        try:
            note_told(self._project, self._station.id, self._key, told)
            self._noted, self._unnoted = told, ""
        except InspectorError as error:
            self._unnoted = str(error)
            _log.warning("what %s was told could not be noted: %s", self._key, error)
        self._noted_at = time.monotonic()

    def _rest(self, seconds: float, *, though_woken: bool = False) -> None:
        until = time.monotonic() + seconds
        while not self._stopping.is_set() and (left := until - time.monotonic()) > 0:
            woken = self._stopping.wait(left) if though_woken else self._woken.wait(left)
            self._woken.clear()
            if woken:
                return
