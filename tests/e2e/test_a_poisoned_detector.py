"""What a hurried hand adds to the good shots: nothing gets in charge, and nothing passes, without a word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from inspector.images.demo import parts as demo_parts
from inspector.records.detectors import list_detectors
from inspector.records.inspected.results import list_results, result_ids
from inspector.records.project import Project
from inspector.records.shots import list_shots
from inspector.views.inspect.page import InspectPage
from inspector.views.look import theme
from inspector.views.teach.page import TeachPage
from inspector.views.window.main_window import MainWindow

Idle = Callable[[], None]
Drop = Callable[..., None]


def _project(window: MainWindow) -> Project:
    assert window.context.project is not None
    return window.context.project


def _settle(qtbot: QtBot, idle: Idle) -> None:
    idle()
    qtbot.wait(150)
    idle()


def _key(window: MainWindow, qtbot: QtBot, key: Qt.Key) -> None:
    qtbot.keyClick(QApplication.focusWidget() or window, key, Qt.KeyboardModifier.ControlModifier)


def _paste(window: MainWindow, qtbot: QtBot, paths: list[Path]) -> None:
    copied = QMimeData()
    copied.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    QGuiApplication.clipboard().setMimeData(copied)
    _key(window, qtbot, Qt.Key.Key_V)
    QGuiApplication.clipboard().clear()  # Qt's offscreen one doesn't outlive what lies in it


def _judged(window: MainWindow, drop: Drop, paths: list[Path]) -> list[str]:
    known = len(result_ids(_project(window)))
    window.show_page("inspect")
    drop(*paths)
    rows = list_results(_project(window), result_ids(_project(window))[known:])
    assert len(rows) == len(paths)
    return sorted(str(row.verdict) for row in rows)


def _in_charge(window: MainWindow) -> list[int]:
    return [row.id for row in list_detectors(_project(window)) if row.in_charge]


def test_the_walk_of_a_hurried_hand_ends_with_every_defect_ng(
    qtbot: QtBot, window: MainWindow, page: TeachPage, idle: Idle, drop: Drop, defective: list[Path]
) -> None:
    """Paste on Inspect, add a defective part on Teach, inspect, undo by keys, inspect, redo, undo, inspect."""
    shots, (detector,) = len(list_shots(_project(window))), _in_charge(window)
    window.show_page("inspect")
    idle()
    _paste(window, qtbot, defective)
    _settle(qtbot, idle)
    every = list_results(_project(window), result_ids(_project(window)))
    assert [str(row.verdict) for row in every] == ["ng"] * len(defective)
    assert len(list_shots(_project(window))) == shots
    window.show_page("teach")
    drop(defective[0])
    _settle(qtbot, idle)
    assert page.proposal.isVisible()
    assert _in_charge(window) == [detector]
    assert set(_judged(window, drop, defective)) == {"ng"}
    for key in (Qt.Key.Key_Z, Qt.Key.Key_Y, Qt.Key.Key_Z):
        _key(window, qtbot, key)
        _settle(qtbot, idle)
        assert window.page_name == "teach"  # where it was done
        assert _in_charge(window) == [detector]
        assert set(_judged(window, drop, defective)) == {"ng"}
    assert not page.proposal.isVisible()
    assert len(list_shots(_project(window))) == shots


def test_a_shot_that_stands_out_is_shown_and_holds_the_new_detector_back_until_somebody_calls_it_good(
    qtbot: QtBot, window: MainWindow, page: TeachPage, idle: Idle, drop: Drop, tmp_path: Path
) -> None:
    demo_parts.write_demo(tmp_path, shots=1, good=1, defective=0, kinds=("cloth",), size=256)
    bad = (tmp_path / "cloth/train/good/000.png").rename(tmp_path / "of another product.png")
    before = _in_charge(window)
    drop(bad)
    _settle(qtbot, idle)
    card = page.proposal
    assert [card.doubtful.item(n).text() for n in range(card.doubtful.count())] == [bad.name]
    qtbot.waitUntil(lambda: not card.doubtful.item(0).icon().isNull())
    assert "unlike the other shots" in card.doubt.text()
    assert not card.accept_button.isEnabled()
    qtbot.mouseClick(card.accept_button, Qt.MouseButton.LeftButton)  # all the same
    _settle(qtbot, idle)
    assert _in_charge(window) == before
    qtbot.mouseClick(card.good_button, Qt.MouseButton.LeftButton)
    _settle(qtbot, idle)
    assert card.accept_button.isEnabled()
    assert _in_charge(window) == before  # good is not yet in charge
    _key(window, qtbot, Qt.Key.Key_Z)
    _settle(qtbot, idle)
    assert not card.accept_button.isEnabled()
    qtbot.mouseClick(card.remove_button, Qt.MouseButton.LeftButton)
    _settle(qtbot, idle)
    assert bad.name not in [row.name for row in list_shots(_project(window))]
    assert _in_charge(window) == before


def test_undo_makes_the_detector_before_an_accepted_one_current_again(
    qtbot: QtBot, window: MainWindow, page: TeachPage, idle: Idle, drop: Drop, washers: Path
) -> None:
    (before,) = _in_charge(window)
    drop(sorted((washers / "test/good").iterdir())[0])
    _settle(qtbot, idle)
    if not page.proposal.accept_button.isEnabled():
        qtbot.mouseClick(page.proposal.good_button, Qt.MouseButton.LeftButton)
        _settle(qtbot, idle)
    qtbot.mouseClick(page.proposal.accept_button, Qt.MouseButton.LeftButton)
    _settle(qtbot, idle)
    (newer,) = _in_charge(window)
    assert newer != before
    window.show_page("inspect")
    idle()
    inspecting = window.page
    assert isinstance(inspecting, InspectPage)
    assert inspecting.queue.detector_id == newer
    while window.context.undo.canUndo():
        _key(window, qtbot, Qt.Key.Key_Z)
        _settle(qtbot, idle)
    assert _in_charge(window) == [before]
    window.show_page("inspect")
    idle()
    assert inspecting.queue.detector_id == before


def test_inspect_says_in_red_that_the_detector_knows_a_shot_that_is_gone_until_it_is_back(
    qtbot: QtBot, window: MainWindow, page: TeachPage, idle: Idle
) -> None:
    window.show_page("inspect")
    idle()
    inspecting = window.page
    assert isinstance(inspecting, InspectPage)
    warning = inspecting.queue.warning
    assert not warning.isVisible()
    for gone, words in ((1, "a shot that was removed"), (2, "2 shots that were removed")):
        window.show_page("teach")
        idle()
        place = page.grid.visualRect(page.shots.index(0, 0)).center()
        qtbot.mouseClick(page.grid.viewport(), Qt.MouseButton.LeftButton, pos=place)
        qtbot.keyClick(page.grid, Qt.Key.Key_Delete)
        _settle(qtbot, idle)
        assert len(list_shots(_project(window))) == 3 - gone
        window.show_page("inspect")
        idle()
        assert warning.isVisible()
        assert words in warning.text()
        assert "Teach again" in warning.text()
        assert warning.palette().windowText().color().name() == theme.tokens().danger
    for _ in range(2):
        assert warning.isVisible()
        _key(window, qtbot, Qt.Key.Key_Z)
        _settle(qtbot, idle)
        window.show_page("inspect")
        idle()
    assert not warning.isVisible()


def test_the_focus_stays_on_the_page_after_teaching_and_after_an_export(
    qtbot: QtBot, window: MainWindow, page: TeachPage, idle: Idle, drop: Drop, defective: list[Path]
) -> None:
    _judged(window, drop, defective[:1])

    def at_home() -> bool:
        focus = QApplication.focusWidget()
        return focus is not None and (focus is window.page or window.page.isAncestorOf(focus))

    for name in ("teach", "results"):
        window.show_page(name)
        idle()
        if name == "teach":
            button = page.panel.button
        else:
            assert window.page.export()
            button = window.page.exporter.button  # type: ignore[attr-defined]
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)  # twice, as an impatient hand does
        button.setFocus()
        _settle(qtbot, idle)
        assert at_home()
        for _ in range(3):
            qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Space)
            _settle(qtbot, idle)
            assert window.page_name == name
