"""A detector handed over from the window as a file, and dropped on another project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from inspector.domain import Decision
from inspector.records import project as projects
from inspector.records.classes import add_class, list_classes
from inspector.records.detectors import find_detector
from inspector.records.inspected.results import list_results, result_ids
from inspector.records.qualification.golden import add_golden, judge_golden
from inspector.views.teach.detector_history import DetectorHistory
from inspector.views.teach.page import TeachPage
from inspector.views.window.main_window import MainWindow
from inspector.views.window.taking_over import TakeOverDialog

Idle = Callable[[], None]
Drop = Callable[..., None]


def test_a_detector_goes_by_file_from_the_history_to_another_project(
    qtbot: QtBot,
    window: MainWindow,
    page: TeachPage,
    idle: Idle,
    drop: Drop,
    washers: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window.show_page("inspect")
    drop(washers / "test")
    first = window.context.project
    assert first is not None
    rows = list_results(first, result_ids(first))
    add_golden(first, {r.id: Decision.OK if "good" in r.name else Decision.NG for r in rows}, who="Ada")
    window.show_page("teach")
    file = tmp_path / "ring.inspector"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(file), ""))
    page.panel.history.click()
    idle()
    history = next(one for one in page.findChildren(DetectorHistory) if one.isVisible())
    assert not history.hand_over_button.isEnabled()
    history.table.selectRow(0)
    history.hand_over_button.click()
    idle()
    assert file.is_file()
    assert "Fingerprint" in history.said.text()
    history.close()

    other = tmp_path / "Line 5"
    with projects.create(other, "Line 5") as made:
        add_class(made, "Washer")
    window.open_project(other, "teach")
    qtbot.waitUntil(lambda: window.context.project is not None and window.context.project.folder == other)
    idle()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(file), ""))
    window.menus.take_over.trigger()
    idle()
    dialog = next(one for one in window.findChildren(TakeOverDialog) if one.isVisible())
    field = dialog.fields["washer"]
    assert (field.text(), dialog.ok.isEnabled()) == ("", False)  # the name is taken here
    field.setText("washer ")
    assert "never merged" in dialog.why.text()
    field.setText("Ring")
    dialog.ok.click()
    idle()
    project = window.context.project
    assert project is not None
    assert [row.name for row in list_classes(project)] == ["Ring", "Washer"]
    assert find_detector(project, class_name="ring").in_charge
    with projects.open(first.folder, read_only=True) as there:
        scores = [{w.part.sha256: w.score for w in judge_golden(one)} for one in (project, there)]
    assert len(scores[0]) == len(rows)
    for sha256, score in scores[1].items():
        assert scores[0][sha256] == pytest.approx(score, rel=1e-4)


def test_a_broken_file_is_one_sentence_and_without_a_project_there_is_what_to_do(
    window: MainWindow, idle: Idle, drop: Drop, tmp_path: Path, taught: Path, qtbot: QtBot
) -> None:
    file = tmp_path / "ring.inspector"
    file.write_bytes(b"PK\x03\x04 nothing more")
    drop(file)
    assert "no project is open" in window.banner.message.text()
    window.open_project(taught, "teach")
    qtbot.waitUntil(lambda: window.context.project is not None)
    idle()  # the file has waited for a project
    assert "damaged, incomplete or was changed" in window.banner.message.text()
