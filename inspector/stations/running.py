"""Running a station: pictures from its source → stored results, as they come, until it is stopped.

One thread takes from the source, others read ahead; whatever waits is scored, a single picture at once, side by side as `lanes`
says: one batch with all cores waits whenever another program takes one of them (17 times as long, measured). A writer stores each result with its arrival in one transaction. Only then is the source told and are the outputs woken, so that a
process that is killed anywhere leaves each picture either judged for good or to be found again.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from threading import Event
from typing import TypeVar

from inspector.domain import CancelToken, Emit, JobKind, ScoreMap
from inspector.errors import InspectorError, ProjectDamagedError, ProjectError, ProjectMovedError
from inspector.jobs.engine import Engine
from inspector.jobs.events import Reporter, job
from inspector.jobs.inspect import lanes
from inspector.jobs.judging import Judge, ReadFile, class_id_of
from inspector.records.audit import ActKind, record
from inspector.records.detectors import DetectorRow, find_detector
from inspector.records.files import find_image
from inspector.records.inspected.new_results import record_arrivals
from inspector.records.inspected.runs import station_run
from inspector.records.line.arrivals import Looks, NewArrival
from inspector.records.line.stations import StationRow, StationSettings, station_of
from inspector.records.project import Project
from inspector.stations.places import watching
from inspector.stations.sending import Sending
from inspector.stations.source import Past, Source, Taken
from inspector.stations.sources.catalogue import open_source
from inspector.stations.taking import READERS, Coming, Taking, read_taken
from inspector.stations.upkeep.turns import Upkeep
from inspector.stations.watch import Watch

_log = logging.getLogger("inspector.stations")
_LOOK = 1.0
"""Seconds between two looks at what was changed meanwhile: settings, the detector in charge, the day."""
_AGAIN = 2.0
"""Seconds after which what could not be stored is tried again."""
_WAIT = 0.2
T = TypeVar("T")


def run_station(
    project: Project,
    engine: Engine,
    station_id: int,
    *,
    emit: Emit,
    cancel: CancelToken,
    watch: Watch | None = None,
) -> None:
    """Run a station until `cancel`; then what was taken is still judged and stored. A picture that can't be read is a failed item, a
    source that can't be reached a state of the `watch`, and a full disk no reason to stop: what it said is stored without the images, and
    once there is no room for that either, it is tried again for ever. It ends by itself only when the station, its detector or the project can't be used any more. `JobEnded.result`: `station`, `judged`,
    `failed`."""
    watch = watch or Watch()
    with job(project, JobKind.STATION, emit) as report:
        project.require_writable()
        row = station_of(project, station_id)
        report.result = {"station": row.name, "judged": 0, "failed": 0}
        report.start(f"Station {row.name}")
        running = _Running(project, engine, report, cancel, watch)
        try:
            record(project, ActKind.STATION_STARTED, row.name)
            with Upkeep(project, row.id) as upkeep:
                running.run(row, upkeep)
        finally:
            state = watch.state
            report.result |= {"judged": state.judged, "failed": state.failed}
            watch.note(running=False)
            with suppress(InspectorError):  # what ended it is said
                record(project, ActKind.STATION_STOPPED, row.name, new=_judged(state.judged))
        report.message = f"Stopped. {_judged(state.judged).capitalize()}."


def _judged(count: int) -> str:
    return f"{count:,} picture{'' if count == 1 else 's'} judged"


@dataclass(frozen=True, slots=True, eq=False)
class _Shift:
    """Who judges, and the run that it goes to."""

    judge: Judge
    run_id: int
    day: date


@dataclass(frozen=True, slots=True)
class _Line:
    """What a picture passes: from where it comes to who is told. `lanes`: how many batches `scorer` scores side by side."""

    source: Source
    sending: Sending
    taking: Taking[_Shift]
    scorer: ThreadPoolExecutor
    lanes: int
    writer: ThreadPoolExecutor


class _Running:
    def __init__(
        self, project: Project, engine: Engine, report: Reporter, cancel: CancelToken, watch: Watch
    ) -> None:
        self._project, self._engine, self._report = project, engine, report
        self._cancel, self._watch = cancel, watch
        self._row: StationRow
        self._shift: _Shift
        self._lot = ""
        self._unstored = ""  # why
        self._ending = Event()  # by itself

    def run(self, row: StationRow, upkeep: Upkeep) -> None:
        """Until it is stopped; begins anew wherever source, outputs, class or detector were set otherwise."""
        while not self._stopped():
            self._row, settings = row, _settings(row)
            self._lot = settings.lot
            self._take_over(self._chosen(row))
            if self._stopped():
                return
            most = 2 * self._shift.judge.batch_size + READERS
            blocked = upkeep.blocked(row)
            self._watch.note(blocked=blocked)
            device = self._shift.judge.backbone.device.type
            with (
                watching(self._project, row),
                closing(open_source(settings.source, Past(self._project, row.id))) as source,
                Sending(self._project, row, trigger=source.trigger) as sending,
                ThreadPoolExecutor(1, "store") as writer,
                lanes(device) as (scorer, count),
                Taking(source, self._reader, most, bool(blocked)) as taking,
            ):
                self._watch.triggered_by(source.trigger)
                try:
                    row = self._judge_all(_Line(source, sending, taking, scorer, count, writer), upkeep)
                except BaseException:
                    self._ending.set()
                    raise
                finally:
                    self._watch.triggered_by(None)

    def _stopped(self) -> bool:
        return self._cancel.cancelled

    def _judge_all(self, line: _Line, upkeep: Upkeep) -> StationRow:
        """Returns when it was stopped or set up otherwise, with what it is by then."""
        scoring: deque[Future[list[ScoreMap | None]]] = deque()
        storing: deque[Future[None]] = deque()
        row, looked = self._row, 0.0
        while not line.taking.over:
            if self._cancel.cancelled:
                line.taking.stop()
            elif time.monotonic() - looked >= _LOOK:
                row = self._look(line, upkeep)
                looked = time.monotonic()
            while len(scoring) >= line.lanes:
                scoring.popleft().result()
            batch = line.taking.next(_batch_size, _WAIT)
            if batch:
                items = [one.read.result() for one in batch]
                maps = line.scorer.submit(batch[0].by.judge.scored, [item for item, _ in items])
                scoring.append(maps)
                storing.append(line.writer.submit(self._store, line, batch, items, maps))
            while storing and (storing[0].done() or len(storing) > line.lanes + 2):
                storing.popleft().result()
            self._watch.note(
                waiting=line.source.waiting + len(line.taking),
                dropped=line.source.dropped,
                source=line.source.state,
                outputs=tuple(line.sending.states.items()),
            )
        for future in storing:
            future.result()
        return row

    def _look(self, line: _Line, upkeep: Upkeep) -> StationRow:
        """What was changed meanwhile; it counts from the next picture on."""
        row = station_of(self._project, self._row.id)
        settings = _settings(row)
        self._lot = settings.lot
        if _setup(row) != _setup(self._row):
            line.taking.stop()
            return row
        chosen = self._chosen(row)
        if chosen.id != self._shift.judge.row.id or self._shift.day != _today():
            self._take_over(chosen)
        why = upkeep.blocked(row)
        (line.taking.held.set if why else line.taking.held.clear)()
        behind = max(line.sending.behind.values(), default=0)
        self._watch.note(running=True, blocked=why or self._unstored, behind=behind, warned=upkeep.said)
        return row

    def _chosen(self, row: StationRow) -> DetectorRow:
        return find_detector(self._project, row.detector_id, row.class_name or None)

    def _take_over(self, detector: DetectorRow) -> None:
        """This detector judges from now on, in the run of today."""
        row = self._row
        class_id = class_id_of(detector, row.class_name) if row.class_name else None
        judge = Judge(self._project, self._engine, detector, class_id, at_line=True)
        run_id = station_run(
            self._project,
            (row.id, row.name),
            detector.id,
            class_id=class_id,
            job_id=self._report.job_id,
            day=(day := _today()),
        )
        self._shift = _Shift(judge, run_id, day)
        self._watch.note(run_id=run_id, detector_id=detector.id)
        self._report.result["computed_by"] = judge.backbone.device_note
        self._report.log(f"{detector.label} judges, on {judge.backbone.device_note}.")

    def _reader(self) -> tuple[_Shift, Callable[[Taken], tuple[ReadFile, Looks | None]]]:
        shift = self._shift
        return shift, lambda taken: self._patiently(lambda: read_taken(shift.judge, taken))

    def _store(
        self,
        line: _Line,
        batch: Sequence[Coming[_Shift]],
        items: Sequence[tuple[ReadFile, Looks | None]],
        maps: "Future[list[ScoreMap | None]]",
    ) -> None:
        """Commit pictures with their arrivals once they are scored, in the order in which they came; then tell of them."""
        shift = batch[0].by
        results = shift.judge.results([item for item, _ in items], maps.result())
        arrivals = [
            NewArrival(one.taken.mark, self._lot, one.taken.arrived, looks)
            for one, (_, looks) in zip(batch, items, strict=True)
        ]
        pairs = list(zip(results, arrivals, strict=True))
        ids = self._patiently(lambda: record_arrivals(self._project, shift.run_id, self._row.id, pairs))
        now = datetime.now(UTC)
        line.source.done(
            [
                replace(one.taken, kept=self._is_kept(item))
                for one, (item, _) in zip(batch, items, strict=True)
            ]
        )
        line.sending.note()
        fresh = [place for place, (result_id, _) in enumerate(ids) if result_id]
        took = [(now - batch[place].taken.arrived).total_seconds() for place in fresh]
        self._watch.stored([ids[place][1] for place in fresh], took, max((one for one, _ in ids), default=0))
        for place in fresh:
            self._report.item(results[place].name, ids[place][0], results[place].trouble)

    def _is_kept(self, item: ReadFile) -> bool:
        return item.facts is None or not find_image(self._project, item.facts.sha256, item.facts.suffix)[1]

    def _patiently(self, work: Callable[[], T]) -> T:
        """Again and again while a full disk, say, stands in its way."""
        while True:
            try:
                found = work()
            except (ProjectMovedError, ProjectDamagedError):
                raise
            except ProjectError as error:
                if self._cancel.cancelled or self._ending.is_set():
                    raise
                self._project.require_writable()
                _log.warning("not stored yet: %s", error)
                self._unstored = str(error)
                self._watch.note(blocked=self._unstored)
                until = time.monotonic() + _AGAIN
                while time.monotonic() < until and not self._cancel.cancelled:
                    if self._ending.wait(_WAIT):
                        break
            else:
                if self._unstored:
                    self._unstored = ""
                    self._watch.note(blocked="")
                return found


def _batch_size(shift: _Shift) -> int:
    return shift.judge.batch_size


def _settings(row: StationRow) -> StationSettings:
    assert row.settings is not None  # `station_of` sees to that
    return row.settings


def _setup(row: StationRow) -> tuple[object, ...]:
    """What can't be changed without beginning anew."""
    settings = _settings(row)
    return row.name, row.class_id, row.detector_id, settings.source, settings.outputs


def _today() -> date:
    return datetime.now().astimezone().date()
