"""What a part costs the window that an operator looks at: its answer, its picture with the heat, the strip."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inspector.domain import JobKind, Region
from inspector.errors import InspectorError

if TYPE_CHECKING:
    from inspector.records.project import Project
    from inspector.stations.watch import Watch

_PATIENCE = 60.0
_NG = 5
"""Every so-manieth part is NG."""
LONG = 16.0
"""ms that nothing may hold the window up for."""


def measure(rate: float = 25, seconds: float = 12, megapixels: float = 5) -> dict[str, Any]:
    """Show the operator view at 1920 × 1080 while another thread stores results as a station does, `rate` a second, each with a
    JPEG of so many megapixels and a map; without a detector, so that the window is measured and not what judges beside it.

    Besides what passes, the seconds are told that the processor works for it: beside other programs a thread mostly waits for its turn.
    `shown`: answers a second that came in sight; `pictures`: pictures a second. Of the turns of the window's own loop, which handle
    whatever is due: `turn_p95_ms`, `turn_p99_ms`, `turn_worst_ms`, `turns_above`: how many of a hundred took longer than 16 ms.
    `work_p99_ms`, `work_worst_ms`: of the same turns, for how long the processor worked, and how many of a hundred had
    it work for more than 16 ms (`work_above`); `busy_ms`: that for each part that was
    shown; `paint_p95_ms`: drawing the picture.
    """
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from inspector.bench.records import make
    from inspector.records import project as projects
    from inspector.records.inspected.runs import list_runs
    from inspector.records.line.stations import Part, StationSettings, add_station
    from inspector.settings import Settings
    from inspector.stations.watch import Watch
    from inspector.views import app
    from inspector.views.shared.job_runner import Job

    with tempfile.TemporaryDirectory(prefix="inspector-bench-") as top:
        folder = Path(top) / "project"
        make(folder, 300)
        with projects.open(folder) as project:
            key = add_station(project, "Bench", StationSettings(Part("folder", {"path": top}), sound=False))
        application = app.application()
        window = app.build(Settings(theme="dark", reviewer="Bench"))
        window.resize(1920, 1080)
        window.show()
        watch = Watch()
        try:
            window.open_project(folder, "line")
            _turn_until(lambda: window.context.project is not None and "line" in window.pages)
            window.show_page("line")
            section: Any = window.pages["line"].section  # type: ignore[attr-defined]
            _turn_until(lambda: key in section.cards)
            opened = window.context.project
            assert opened is not None
            stations: Any = window.context.stations
            stations._watches[key] = watch  # what a running station would
            stations._jobs[key] = Job(JobKind.STATION, "“Bench”", lambda *_: None)
            watch.note(running=True)
            section.operate(key)
            view = section.operator
            view.resize(1920, 1080)
            _turn_until(lambda: view.line is not None)
            line = _Line(opened, watch, key, list_runs(opened)[-1].id, megapixels)
            found = _follow(view, line, rate, seconds)
            window.context.stations.forget()
            view.leave()
        finally:
            window.shut_down()
            application.processEvents()
    return found


class _Line:
    """A station's results, as they are stored."""

    def __init__(
        self, project: Project, watch: Watch, station_id: int, run_id: int, megapixels: float
    ) -> None:
        import cv2

        from inspector.records.detectors import list_detectors
        from inspector.records.thresholds import list_thresholds

        self.project, self.watch, self.station_id, self.run_id = project, watch, station_id, run_id
        detector = list_detectors(project)[-1]
        self.class_id, threshold = next(iter(list_thresholds(project, detector.id).items()))
        self.threshold_id = threshold.id
        height = round((megapixels * 1e6 / 1.5) ** 0.5)
        self.size = round(height * 1.5), height
        coarse = np.random.default_rng(1).integers(60, 190, (height // 16, self.size[0] // 16, 3), np.uint8)
        self._jpeg = cv2.imencode(".jpg", cv2.resize(coarse, self.size))[1].tobytes()

    def feed(self, rate: float, count: int) -> None:
        from inspector.records.files import ImageFacts
        from inspector.records.inspected.new_results import NewResult, record_arrivals
        from inspector.records.line.arrivals import Looks, NewArrival

        begun = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, begun + number / rate - time.monotonic()))
            score = 0.8 if number % _NG == _NG - 1 else 0.2
            values = np.full((40, 60), 0.1, np.float32)
            values[8:16, 20:30] = score
            wide, high = self.size
            regions = (
                [Region((wide // 3, high // 5, wide // 6, high // 5), 900, score)] if score > 0.5 else []
            )
            data = self._jpeg + number.to_bytes(4, "big")
            facts = ImageFacts(hashlib.sha256(data).hexdigest(), ".jpg", self.size, "RGB 8 bit")
            part = NewResult(
                f"part {number:05}.jpg",
                facts,
                data,
                self.class_id,
                0.9,
                score,
                values,
                regions,
                self.threshold_id,
            )
            arrival = NewArrival(f"bench {number}", "", datetime.now(UTC), Looks(100, 5, 0, 0))
            ((result_id, said),) = record_arrivals(
                self.project, self.run_id, self.station_id, [(part, arrival)]
            )
            self.watch.stored([said], [0.05], result_id)


def _follow(view: Any, line: _Line, rate: float, seconds: float) -> dict[str, Any]:
    from PySide6.QtCore import QCoreApplication, QEventLoop, QTimer

    shown: set[int] = set()
    pictures: set[int] = set()
    turns: list[float] = []
    works: list[float] = []
    draws: list[float] = []
    feeder = threading.Thread(target=line.feed, args=(rate, round(rate * seconds)))
    clock = QTimer()  # wakes the loop when nothing else does
    clock.start(5)
    begun, busy = time.perf_counter(), time.thread_time()
    feeder.start()
    while feeder.is_alive():
        at, work = time.perf_counter(), time.thread_time()
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents)
        turns.append(1000 * (time.perf_counter() - at))
        works.append(1000 * (time.thread_time() - work))
        if view.shown is not None:
            shown.add(view.shown.id)
        if view.picture.pictured not in pictures:
            pictures.add(view.picture.pictured)
            draws.append(1000 * view.picture.view.took)
        time.sleep(0.001)
    feeder.join()
    took, busy = time.perf_counter() - begun, time.thread_time() - busy
    clock.stop()
    lasted = np.array(turns, np.float64)
    worked_for = np.array(works, np.float64)
    worked = lasted[worked_for > 0.2]  # turns in which there was anything to do
    return {
        "rate": round(rate * seconds) / took,
        "megapixels": line.size[0] * line.size[1] / 1e6,
        "shown": len(shown) / took,
        "pictures": len(pictures) / took,
        "turn_p95_ms": float(np.percentile(worked, 95)),
        "turn_p99_ms": float(np.percentile(worked, 99)),
        "turn_worst_ms": float(lasted.max()),
        "turns_above": 100 * float((worked > LONG).mean()),
        "work_p99_ms": float(np.percentile(worked_for[worked_for > 0.2], 99)),
        "work_worst_ms": float(worked_for.max()),
        "work_above": 100 * float((worked_for[worked_for > 0.2] > LONG).mean()),
        "busy_ms": 1000 * busy / max(1, len(shown)),
        "paint_p95_ms": _p95(draws),
    }


def _p95(values: Sequence[float]) -> float:
    return float(np.percentile(values, 95)) if values else 0.0


def _turn_until(done: Any) -> None:
    from PySide6.QtCore import QCoreApplication

    end = time.monotonic() + _PATIENCE
    while not done():
        QCoreApplication.processEvents()
        time.sleep(0.001)
        if time.monotonic() > end:
            raise InspectorError("The window stands still.", "See the log.")
