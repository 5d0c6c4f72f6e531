"""Parts that come faster than people look: the answer follows, and the window is never held up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from inspector.domain import Region
from inspector.images import read
from inspector.records.files import ImageFacts
from inspector.records.inspected.new_results import NewResult, record_arrivals
from inspector.records.line.arrivals import Looks, NewArrival
from inspector.records.line.stations import Part, StationSettings, add_station
from inspector.records.thresholds import list_thresholds
from inspector.views.shared.job_runner import Job

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Stock

    from inspector.views.window.main_window import MainWindow

RATE, SECONDS = 30, 3.0
"""Parts a second, and for how long."""


def _part(stock: Stock, threshold_id: int, number: int, picture: bytes) -> NewResult:
    """A result as a station makes it: image, map, regions, a score that is NG every fifth time."""
    score = 0.8 if number % 5 == 4 else 0.2
    values = np.full((16, 24), 0.1, np.float32)
    values[4:8, 6:12] = score
    regions = [Region((24, 16, 24, 16), 384, score)] if score > 0.4 else []
    name = f"part {number:04}.png"
    data = picture + number.to_bytes(4, "big")
    facts = ImageFacts.of(read.decode(data, name), data)
    return NewResult(name, facts, data, stock.class_id, 0.9, score, values, regions, threshold_id)


def test_at_thirty_parts_a_second_more_than_twenty_answers_are_shown_and_the_window_keeps_answering(
    qtbot: QtBot, window: MainWindow, hand: Stock, tmp_path: Path, idle: Callable[[], None]
) -> None:
    from inspector.domain import JobKind
    from inspector.stations.watch import Watch

    project, context = hand.project, window.context
    key = add_station(
        project, "Press 3", StationSettings(Part("folder", {"path": str(tmp_path)}), sound=False)
    )
    threshold_id = list_thresholds(project, hand.detector_id)[hand.class_id].id
    window.show_page("line")
    idle()
    section = window.pages["line"].section  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: key in section.cards)
    file = tmp_path / "part.png"
    PIL.Image.fromarray(np.random.default_rng(0).integers(90, 160, (480, 640, 3), np.uint8)).save(file)
    parts = [_part(hand, threshold_id, number, file.read_bytes()) for number in range(round(RATE * SECONDS))]
    watch = Watch()  # what a running station writes of itself; here a thread stores what it would
    context.stations._watches[key] = watch
    context.stations._jobs[key] = Job(JobKind.STATION, "“Press 3”", lambda *_: None)
    watch.note(running=True)
    section.operate(key)
    view = section.operator
    qtbot.waitUntil(lambda: view.line is not None)

    def feed() -> None:
        begun = time.monotonic()
        for number, part in enumerate(parts):
            time.sleep(max(0.0, begun + number / RATE - time.monotonic()))
            arrival = NewArrival(str(number), "", datetime.now(UTC), Looks(100, 5, 0, 0))
            ((result_id, said),) = record_arrivals(project, hand.run_id, key, [(part, arrival)])
            watch.stored([said], [0.05], result_id)

    shown: dict[int, float] = {}
    gaps: list[float] = []
    last = [time.monotonic()]

    def tick() -> None:
        now = time.monotonic()
        gaps.append(now - last[0])
        last[0] = now
        if view.shown is not None:
            shown.setdefault(view.shown.id, now)

    timer = QTimer()
    timer.setInterval(2)
    timer.timeout.connect(tick)
    timer.start()
    feeder = threading.Thread(target=feed)
    begun = time.monotonic()
    feeder.start()
    works: list[float] = []
    while feeder.is_alive():
        assert time.monotonic() - begun < 60
        at = time.thread_time()
        QApplication.processEvents()
        works.append(time.thread_time() - at)
        time.sleep(0.001)
    took = time.monotonic() - begun
    timer.stop()
    qtbot.waitUntil(lambda: view.line.counted.shift.total == len(parts) and view.shown.name == parts[-1].name)
    rate = len(shown) / took
    fed = len(parts) / took
    print(
        f"{fed:.0f} parts/s came, {rate:.0f}/s shown; slowest turn of the window {max(gaps) * 1000:.0f} ms, "
        f"{max(works) * 1000:.1f} ms of the processor"
    )
    assert rate >= min(20.0, 0.6 * fed)  # a computer that can't store so many can't show them either
    assert sorted(gaps)[-len(gaps) // 100] < 0.2
    assert np.percentile(works, 99.5) < 0.016  # of the processor: beside other programs it takes longer
    assert len(view._rows) <= 20
    context.stations.forget()
    view.leave()
    assert pytest.approx(view.line.counted.shift.share_ok, abs=0.01) == 0.8
