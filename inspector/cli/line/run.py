"""`inspector run` and what belongs to it: stations without a window."""

import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inspector import installation, settings
from inspector.cli.options import Runtime
from inspector.cli.output import explain, say
from inspector.domain import CancelToken, JobEnded, JobEvent, JobLog, JobStatus
from inspector.errors import InspectorError

if TYPE_CHECKING:
    from inspector.jobs.engine import Engine
    from inspector.records.line.arrivals import ArrivalRow
    from inspector.records.line.stations import StationRow
    from inspector.records.project import Project

app = typer.Typer()
_LOOK = 0.2
"""Seconds between two looks at what is new."""
_AGAIN = 10.0, 600.0
"""Seconds after which a station that could not go on is tried again, first and at most."""
Folder = Annotated[Path, typer.Argument(help="Project folder.", exists=True, file_okay=False)]


@app.command("run")
def run(
    project: Folder,
    station: Annotated[
        list[str] | None,
        typer.Option("--station", help="Repeat for several; the only one there is when left out."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No line for each picture.")] = False,
    unit: Annotated[
        bool, typer.Option("--unit", help="Print a systemd unit that keeps these stations running, and end.")
    ] = False,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.")] = None,
    runtime: Runtime = None,
) -> None:
    """Run stations without a window, until SIGTERM or Ctrl-C; what was taken is then still judged and stored.

    Started again, also after a kill, it goes on where it was: nothing is judged twice. A station that can't go on says why and is
    tried again now and then, while the others run. Exit codes: 0 it was stopped; 1 it could not be started, or no station can go
    on, for the reasons given; 143 it was stopped before it had started.
    """
    from inspector.jobs.engine import Engine
    from inspector.records import project as projects

    if unit:
        with projects.open(project, read_only=True) as opened:
            names = [row.name for row in _asked(opened, station)]
        say(systemd_unit(project, names))
        return
    chosen = settings.load()
    with projects.open(project) as opened:
        opened.who = chosen.reviewer
        for words in filter(None, (opened.note, opened.doubt)):
            say(f"! {words}", error=True)
        rows = _asked(opened, station)
        raise typer.Exit(
            _run(opened, rows, lambda: Engine(device=device or chosen.device, runtime=runtime), quiet)
        )


def _asked(project: "Project", names: Sequence[str] | None) -> "list[StationRow]":
    from inspector.records.line.stations import find_station, list_stations

    if names:
        return list({row.id: row for row in (find_station(project, name) for name in names)}.values())
    rows = list_stations(project)
    if len(rows) != 1:
        raise InspectorError(
            "There is no station in this project yet."
            if not rows
            else "There are several stations, and none is named.",
            "Set one up: inspector station add PROJECT NAME --source folder --set path=FOLDER"
            if not rows
            else f"Name them with --station. There are: {', '.join(row.name for row in rows)}.",
        )
    return rows


class _Station:
    """One station on a thread of its own, and what of it was said so far."""

    def __init__(
        self, project: "Project", row: "StationRow", engine: Any, ended: "queue.SimpleQueue[JobEnded]"
    ):
        from inspector.records.line.arrivals import last_arrival
        from inspector.stations.running import run_station
        from inspector.stations.watch import Watch

        self.row, self.watch = row, Watch()
        self.said = last_arrival(project, row.id)
        self.trouble: dict[str, str] = {}
        self.warned: tuple[str, ...] = ()
        self.ended: JobEnded | None = None
        self._project = project
        self._events = ended
        self._cancel = CancelToken()
        self._pause, self._due = _AGAIN[0], 0.0

        def work() -> None:
            run_station(project, engine, row.id, emit=self._emit, cancel=self._cancel, watch=self.watch)

        self._work = work
        self._thread = threading.Thread(target=work, name=f"station {row.id}")

    def start(self) -> None:
        self._thread.start()

    @property
    def failed(self) -> bool:
        """Whether it can't go on."""
        return not self.running and self.ended is not None and self.ended.status is not JobStatus.DONE

    def try_again(self) -> None:
        """Start it anew, now and then, where what was in its way is mended."""
        now = time.monotonic()
        if not self._due:
            self._due = now + self._pause
        if now < self._due:
            return
        if not _can_start(self._project, self.row.id):
            self._due = now + _AGAIN[0]
            return
        self._pause, self._due = min(2 * self._pause, _AGAIN[1]), 0.0
        self._thread = threading.Thread(target=self._work, name=f"station {self.row.id}")
        self.start()

    def cancel(self) -> None:
        self._cancel.cancel()

    def join(self) -> None:
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def _emit(self, event: JobEvent) -> None:
        if isinstance(event, JobEnded):
            self.ended = event
            self._events.put(event)
        elif isinstance(event, JobLog):
            say(f"{self.row.name}: {event.message}", error=True)


def _run(project: "Project", rows: "Sequence[StationRow]", make: "Callable[[], Engine]", quiet: bool) -> int:
    from inspector.records.detectors import find_detector

    ended: queue.SimpleQueue[JobEnded] = queue.SimpleQueue()
    first = make()
    if len(rows) > 1:  # one backbone for all, loaded before their threads ask for it side by side
        with suppress(InspectorError):  # the station says so itself
            judge = find_detector(project, rows[0].detector_id, rows[0].class_name or None)
            first.scoring(judge.backbone.get("weights"))
    stations = [_Station(project, rows[0], first, ended)]
    for row in rows[1:]:
        engine = make()
        engine.beside = lambda: first
        stations.append(_Station(project, row, engine, ended))
    stop = threading.Event()
    with _stopped_by_signals(stop):
        try:
            for one in stations:
                one.start()
            while any(one.running for one in stations):
                time.sleep(_LOOK)
                if stop.is_set():
                    for one in stations:
                        one.cancel()
                for one in stations:
                    _tell(project, one, quiet)
                _say_ended(ended)
                if not stop.is_set():
                    for one in stations:
                        if one.failed:
                            one.try_again()
        finally:
            for one in stations:
                one.cancel()
                one.join()
    for one in stations:
        _tell(project, one, quiet)
    _say_ended(ended)
    failed = [one.ended for one in stations if one.failed and one.ended is not None]
    for event in failed:
        explain(InspectorError(event.message, event.hint))
    return 1 if failed else 0


def _can_start(project: "Project", station_id: int) -> bool:
    """Without a line in the audit for every attempt."""
    from inspector.records.detectors import find_detector
    from inspector.records.line.stations import station_of

    try:
        row = station_of(project, station_id)
        find_detector(project, row.detector_id, row.class_name or None)
    except InspectorError:
        return False
    return True


def _say_ended(events: "queue.SimpleQueue[JobEnded]") -> None:
    """Which stations ended, and why."""
    while not events.empty():
        event = events.get()
        hint = event.hint if event.status is not JobStatus.DONE else ""
        say(f"{event.result.get('station', '')}: {event.message} {hint}".rstrip(), error=True)


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """SIGTERM and Ctrl-C let stations end well; a second one ends at once."""
    kinds = [signal.SIGTERM, signal.SIGINT]
    before: dict[signal.Signals, Any] = {}

    def ask(number: int, frame: object) -> None:
        if stop.is_set():
            signal.signal(number, before[signal.Signals(number)])
        stop.set()

    for kind in kinds:
        before[kind] = signal.signal(kind, ask)
    try:
        yield
    finally:
        for kind in kinds:
            signal.signal(kind, before[kind])


def _tell(project: "Project", one: _Station, quiet: bool) -> None:
    """What is new: a line for each picture, and one for whatever begins or ends to stand in the way."""
    from inspector.records.line.arrivals import last_arrival, list_arrivals

    state = one.watch.state
    now = {"source": state.source, "": state.blocked, **dict(state.outputs)}
    for words in state.warned:
        if words not in one.warned:
            say(f"{one.row.name}: {words}", error=True)
    one.warned = state.warned
    for what, words in now.items():
        if words != one.trouble.get(what, ""):
            where = f"{what}: " if what else ""
            say(f"{one.row.name}: {where}{words or 'well again.'}", error=True)
    one.trouble = now
    if quiet:
        return
    if one.said < last_arrival(project, one.row.id):
        for arrival in list_arrivals(project, one.row.id, after=one.said):
            say(_line(arrival))
            one.said = arrival.id


def _line(arrival: "ArrivalRow") -> str:
    verdict = arrival.said.value.upper() if arrival.said else "FAILED"
    score = "" if arrival.image_score is None else f" {arrival.image_score:.4f}"
    why = f": {arrival.error}" if arrival.error else ""
    when = f"{arrival.arrived.astimezone():%Y-%m-%d %H:%M:%S}"
    took = f"{1000 * arrival.took:.0f} ms"
    return f"{when} {arrival.station} {verdict}{score} {arrival.name} ({took}){why}"


def systemd_unit(project: Path, names: Sequence[str]) -> str:
    """A unit that starts these stations with the machine, and again whenever they end."""
    command = [*installation.command(), "run", str(project.resolve()), "--quiet"]
    for name in names:
        command += ["--station", name]
    return "\n".join(
        (
            "[Unit]",
            f"Description=Inspector: {', '.join(names)}".replace("%", "%%"),
            "StartLimitIntervalSec=0",
            "",
            "[Service]",
            f"ExecStart={' '.join(map(_quoted, command))}",
            "Restart=always",
            "RestartSec=5",
            "TimeoutStopSec=60",
            "# User=the account that the project belongs to",
            "",
            "[Install]",
            "WantedBy=multi-user.target",
        )
    )


def _quoted(word: str) -> str:
    """As systemd reads a word, whatever it holds."""
    for sign, instead in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$"), ("\n", "\\n")):
        word = word.replace(sign, instead)
    return f'"{word}"'
