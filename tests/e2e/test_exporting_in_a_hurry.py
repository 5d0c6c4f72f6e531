"""Export pressed while something else still runs."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from inspector.records.detectors import list_detectors
from inspector.records.inspected.results import result_ids
from inspector.views.results.page import ResultsPage
from inspector.views.window.main_window import MainWindow

Idle = Callable[[], None]
Drop = Callable[..., None]


def test_an_export_asked_for_during_a_run_waits_says_so_and_tells_which_detector_judged(
    qtbot: QtBot, window: MainWindow, idle: Idle, drop: Drop, taught: Path, washers: Path, tmp_path: Path
) -> None:
    window.open_project(taught, "inspect")
    qtbot.waitUntil(lambda: window.context.project is not None)
    idle()
    drop(washers / "train" / "good")
    project = window.context.project
    assert project is not None
    before = result_ids(project).tolist()
    window.show_page("results")
    idle()
    page = window.page
    assert isinstance(page, ResultsPage)
    page.selection.choose(before[:1])
    page.export()
    panel = page.exporter
    panel.folder.setText(str(tmp_path / "out"))
    window.take_paths([washers / "test"])
    qtbot.waitUntil(lambda: window.context.runner.busy)
    qtbot.mouseClick(panel.button, Qt.MouseButton.LeftButton)
    assert panel.answer.text() == "Waiting for the job before it…"
    assert panel.button.toolTip().startswith("An export is under way")
    qtbot.mouseClick(panel.button, Qt.MouseButton.LeftButton)  # off: no second export
    idle()
    assert panel.made.text() == str(tmp_path / "out")
    assert [path.name for path in tmp_path.glob("out*")] == ["out"]
    with (tmp_path / "out" / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    (detector,) = list_detectors(project)
    assert rows
    assert {row["detector"] for row in rows} == {detector.label}
    assert detector.label.startswith(f"#{detector.id} ")
    assert window.page_name in ("results", "inspect")
