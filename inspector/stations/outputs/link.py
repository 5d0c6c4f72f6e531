"""What an output and its station know of each other."""

import importlib.util
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from inspector import installation
from inspector.errors import Cancelled, InspectorError, SettingsError
from inspector.records.line.stations import StationRow, Value
from inspector.records.project import Project
from inspector.stations.fields import Field
from inspector.stations.output import Output


@dataclass(frozen=True, slots=True)
class Link:
    """What an output may ask of its station. `taken(id)`: arrivals up to this one were taken, while `send` is still at others.
    `say(sentence)`: what stands in the way while `send` waits; "": nothing any more. `stopping`: set when it must end. `trigger(job)`: have the station's source take
    a picture; False where it doesn't."""

    project: Project
    station: StationRow
    stopping: threading.Event
    taken: Callable[[int], None]
    say: Callable[[str], None]
    trigger: Callable[[str], bool] = lambda _job: False

    def check(self) -> None:
        """Raises `Cancelled` once the station ends."""
        if self.stopping.is_set():
            raise Cancelled


class Refused(InspectorError):
    """The receiver is there and refuses this one arrival (`arrival_id`); it may take others. `surely`: for what is in it, else it may
    as well be something that would meet every one."""

    def __init__(self, arrival_id: int, message: str, hint: str = "", *, surely: bool = True) -> None:
        super().__init__(message, hint)
        self.arrival_id, self.surely = arrival_id, surely


@dataclass(frozen=True, slots=True)
class OutputInfo:
    """A kind of output. `summary`: one sentence for people. `extra`: what has to be installed beside Inspector for it, as in
    `pip install "inspector[EXTRA]"`, and `module`: by which that shows; "": nothing. `make`: opens one with its settings, which are
    checked; raises `InspectorError`. `exposed`: what is open to others with such settings, in a sentence, or ""."""

    kind: str
    title: str
    summary: str
    fields: tuple[Field, ...]
    make: Callable[[Mapping[str, Value], Link], Output]
    extra: str = ""
    module: str = ""
    exposed: Callable[[Mapping[str, Value]], str] = lambda _values: ""

    @property
    def missing(self) -> str:
        """A sentence on what has to be installed first, or ""."""
        if not self.module or importlib.util.find_spec(self.module) is not None:
            return ""
        return f"{self.title} needs more than is installed. {installation.add(f'inspector[{self.extra}]')}"

    def require(self) -> None:
        """Raises `SettingsError` where something has to be installed first."""
        if self.missing:
            message, hint = self.missing.split(". ", 1)
            raise SettingsError(f"{message}.", hint)


SKIP_AFTER = Field(
    "skip_after",
    "Leave out a refused result after",
    "number",
    0,
    "A result that the receiver refuses is sent again and again, and the others wait for it. With a number here it is left out "
    "after so many times, which the log and the audit name. 0: never.",
    least=0,
    most=1000,
    unit="times",
)
