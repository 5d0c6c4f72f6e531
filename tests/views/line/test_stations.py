"""Stations in the real window: set up by hand, run with the real detector, and looked at by an operator."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from inspector.domain import Decision, Role
from inspector.records.detectors import find_detector, remove_detector
from inspector.records.line.roles import set_pin
from inspector.records.line.stations import list_stations
from inspector.records.reviews import list_reviews
from inspector.views import app
from inspector.views.line.operator import view as operator_view
from inspector.views.look import theme

if TYPE_CHECKING:
    import pytest
    from conftest import Hands

    from inspector.views.line.stations.section import StationsSection
    from inspector.views.window.main_window import MainWindow

Taught = tuple[Path, list[Path], list[Path]]


def test_a_name_and_a_folder_make_a_station_that_judges_what_comes_and_the_operator_sees_an_ng_part_with_its_heat(
    qtbot: QtBot,
    line: StationsSection,
    hands: Hands,
    window: MainWindow,
    taught: Taught,
    tmp_path: Path,
    idle: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    beeps: list[int] = []
    monkeypatch.setattr(QApplication, "beep", lambda: beeps.append(1))
    monkeypatch.setattr(operator_view, "JUST", 0.0)
    folder = tmp_path / "camera"
    key = hands.set_up(folder)
    card = line.cards[key]
    assert card.name.text() == "Press 3"
    assert "washer" in card.about.text()
    assert str(folder) in card.about.text()
    assert "Stopped" in card.state.text()
    hands.start(key)
    view = hands.operate(key)
    assert view.isFullScreen()
    assert view.side.word.words == "Waiting"
    _, good, bad = taught
    hands.drop(good[0], folder, "good_1.png")
    qtbot.waitUntil(lambda: view.shown is not None and view.shown.name == "good_1.png", timeout=hands.LONG)
    assert view.side.word.words == "✓ OK"
    assert beeps == []
    hands.drop(bad[0], folder, "bad_1.png")
    qtbot.waitUntil(lambda: view.shown is not None and view.shown.name == "bad_1.png", timeout=hands.LONG)
    assert view.side.word.words == "✕ NG"
    assert view.side.word.colour == theme.VERDICTS[Decision.NG]
    assert beeps == [1]
    shown = view.shown
    assert shown is not None
    picture = view.picture
    qtbot.waitUntil(lambda: picture.pictured == shown.result_id, timeout=hands.LONG)
    qtbot.waitUntil(lambda: picture.view.shown is not None and picture.view.shown.heat is not None)
    made = picture.view.shown
    assert made is not None
    assert made.hot is not None  # there is something hot to see
    room = picture.view.room()
    assert made.image is not None
    assert made.image.width() == room[0] or made.image.height() == room[1]
    assert "✓ 1 OK" in view.side.shift.counts.text()
    assert "✕ 1 NG" in view.side.shift.counts.text()
    assert "50.0" in view.side.shift.share.text()

    hands.click(view.side.other)
    assert view.side.other.text() == "False alarm"
    project = window.context.project
    assert project is not None
    qtbot.waitUntil(lambda: "✓ 2 OK" in view.side.shift.counts.text(), timeout=10_000)
    (word,) = list_reviews(project, shown.result_id)
    assert (word.decision, word.who, word.reason) == (Decision.OK, "Ada", "False alarm")
    assert view.side.word.words == "✓ OK"
    assert "by a person's word" in view.side.word.under

    view.let_go()
    first = view.strip.place(1).center()  # the good one, before it
    qtbot.mouseClick(view.strip, Qt.MouseButton.LeftButton, pos=first)
    assert view.shown is not None
    assert view.shown.name == "good_1.png"
    assert view.picture.back.isVisible()
    view._hold.start(1)  # it comes back by itself
    qtbot.waitUntil(lambda: view.shown is not None and view.shown.name == "bad_1.png")

    qtbot.keyClicks(view.side.lot, "A-100")
    qtbot.keyClick(view.side.lot, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: list_stations(project)[0].settings.lot == "A-100")  # type: ignore[union-attr]
    qtbot.waitUntil(lambda: view.side.order.share.text() == "no parts yet", timeout=10_000)

    window.context.stations.stop(key)
    qtbot.waitUntil(lambda: not window.context.runner.stations, timeout=hands.LONG)
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert line.operator is None
    idle()
    assert "✓ 2 OK" in line.cards[key].counts.text()


def test_parts_may_come_fast_the_newest_is_shown_and_the_window_answers_meanwhile(
    qtbot: QtBot, line: StationsSection, hands: Hands, taught: Taught, tmp_path: Path
) -> None:
    """The answers are read in one go however many came, and nothing waits in a queue."""
    from inspector.bench.drawn_parts import copy_with_own_hash

    folder = tmp_path / "camera"
    key = hands.set_up(folder)
    view = hands.operate(key)
    for number in range(40):
        copy_with_own_hash(taught[1][number % len(taught[1])], folder / f"part_{number:02}.png", number)
    qtbot.mouseClick(view.head.start, Qt.MouseButton.LeftButton)
    state = line.context.stations.state
    qtbot.waitUntil(lambda: (s := state(key)) is not None and s.judged == 40, timeout=hands.LONG)
    qtbot.waitUntil(
        lambda: view.line is not None and view.line.counted.shift.total == 40 and not view._reading,
        timeout=5000,
    )
    assert view.line is not None
    assert view.shown is not None
    assert view.shown.id == view.line.arrivals[0].id
    assert len(view.strip.arrivals) == 20
    hands.stop()
    view.leave()


def test_the_last_answer_is_taken_down_when_the_station_can_judge_no_more(
    qtbot: QtBot, line: StationsSection, hands: Hands, window: MainWindow, taught: Taught, tmp_path: Path
) -> None:
    folder = tmp_path / "camera"
    key = hands.set_up(folder)
    hands.start(key)
    view = hands.operate(key)
    hands.drop(taught[1][0], folder, "good_1.png")
    qtbot.waitUntil(lambda: view.side.word.words == "✓ OK", timeout=hands.LONG)
    project = window.context.project
    assert project is not None
    remove_detector(project, find_detector(project).id)
    qtbot.waitUntil(lambda: view.side.word.words == "Stopped", timeout=hands.LONG)
    assert (view.side.word.colour, view.side.word.under) == ("", "The last part was: ✓ OK")
    assert "Teach it first" in view.head.troubles.text()
    view.hold(view.strip.arrivals[0].result_id)  # who asks for it sees it
    assert view.side.word.words == "✓ OK"
    view.let_go()
    assert view.side.word.words == "Stopped"


def test_two_stations_run_beside_each_other_and_closing_the_window_asks_and_stops_them(
    qtbot: QtBot,
    line: StationsSection,
    hands: Hands,
    window: MainWindow,
    taught: Taught,
    tmp_path: Path,
    idle: Callable[[], None],
) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    keys = []
    for place, folder in enumerate(folders):
        keys.append(hands.set_up(folder, f"Press {place + 1}"))
    for key, folder in zip(keys, folders, strict=True):
        hands.start(key)
        hands.drop(taught[2][0], folder, "one.png")
    for key in keys:
        qtbot.waitUntil(lambda key=key: line.context.stations.state(key).judged == 1, timeout=hands.LONG)
    assert not window.close()
    box = QApplication.activeModalWidget()
    assert isinstance(box, QMessageBox)
    assert "Press 1" in box.text()
    assert "Press 2" in box.text()
    keep = next(one for one in box.findChildren(QPushButton) if one.text() == "Keep running")
    hands.click(keep)
    assert len(window.context.runner.stations) == 2
    window.close_project()
    box = QApplication.activeModalWidget()
    assert isinstance(box, QMessageBox)
    hands.click(next(one for one in box.findChildren(QPushButton) if one.text() == "Stop and close"))
    qtbot.waitUntil(lambda: window.context.project is None, timeout=hands.LONG)
    idle()
    window.open_project(tmp_path / "Line 3", "teach")
    qtbot.waitUntil(lambda: window.context.project is not None and window.banner.isVisible(), timeout=10_000)
    assert "“Press 1”, “Press 2” were running" in window.banner.message.text()
    hands.click(window.banner.button)
    qtbot.waitUntil(lambda: len(window.context.runner.stations) == 2)
    hands.stop()


def test_a_setup_that_is_not_whole_says_what_is_missing_and_undo_takes_a_station_back(
    qtbot: QtBot,
    line: StationsSection,
    hands: Hands,
    window: MainWindow,
    tmp_path: Path,
    idle: Callable[[], None],
) -> None:
    hands.click(line.empty.button)
    qtbot.waitUntil(lambda: line.dialog is not None)
    dialog = line.dialog
    assert dialog is not None
    hands.click(dialog.save_button)
    assert "missing" in dialog.said.text()
    dialog.form.inputs["path"].edit.setText(str(tmp_path / "nowhere"))  # type: ignore[union-attr, attr-defined]
    qtbot.waitUntil(lambda: "no such folder yet" in dialog.check.said.text())
    dialog.reject()
    (tmp_path / "camera").mkdir()
    shutil.copy(__file__, tmp_path / "camera" / "no image.txt")
    key = hands.set_up(tmp_path / "camera")
    line.cards[key].duplicate.trigger()
    qtbot.waitUntil(lambda: len(line.cards) == 2)
    assert sorted(card.name.text() for card in line.cards.values()) == ["Press 3", "Press 4"]
    line.cards[key].remove.trigger()
    qtbot.waitUntil(lambda: len(line.cards) == 1)
    window.menus.undo.trigger()
    qtbot.waitUntil(lambda: len(line.cards) == 2)
    for _ in range(2):
        window.menus.undo.trigger()
        idle()
    assert line.cards == {}
    assert line.empty.isVisible()


def test_an_output_says_whether_its_receiver_is_there_before_it_is_kept(
    qtbot: QtBot, line: StationsSection, hands: Hands, tmp_path: Path
) -> None:
    hands.set_up(tmp_path / "camera")
    hands.click(next(iter(line.cards.values())).edit)
    qtbot.waitUntil(lambda: line.dialog is not None)
    dialog = line.dialog
    assert dialog is not None
    dialog.show_tab(1)
    for info in dialog.choices.outputs:
        if info.kind in ("jsonl", "webhook"):
            dialog.outputs.add(info)
    file, hook = dialog.outputs.cards
    file.form.inputs["folder"].edit.setText(str(tmp_path / "told"))  # type: ignore[attr-defined]
    hands.click(file.try_button)
    qtbot.waitUntil(lambda: "✓" in file.said.text(), timeout=10_000)
    hook.form.inputs["url"].setText("http://127.0.0.1:9/nobody")  # type: ignore[attr-defined]
    hook.try_button.click()
    qtbot.waitUntil(lambda: hook.try_button.isEnabled() and "Asking" not in hook.said.text(), timeout=10_000)
    assert "✓" not in hook.said.text()
    hands.click(dialog.save_button)
    qtbot.waitUntil(lambda: line.dialog is None)
    project = line.context.project
    assert project is not None
    (row,) = list_stations(project)
    assert row.settings is not None
    assert [one.kind for one in row.settings.outputs] == ["jsonl", "webhook"]
    assert len({one.key for one in row.settings.outputs}) == 2


def test_an_operator_leaves_the_operator_view_only_with_a_pin_and_sets_up_no_station(
    qtbot: QtBot, line: StationsSection, hands: Hands, window: MainWindow, tmp_path: Path
) -> None:
    key = hands.set_up(tmp_path / "camera")
    project = window.context.project
    assert project is not None
    set_pin(project, Role.ENGINEER, "4711")
    set_pin(project, Role.INSPECTOR, "2580")
    window.context.sign_in(Role.ENGINEER)
    view = hands.operate(key)
    assert window.context.signed_in is None  # whoever stands there now is no engineer
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert view.isVisible()
    dialog = window.door.dialog
    assert dialog is not None
    qtbot.keyClicks(dialog.pin, "2580")
    qtbot.keyClick(dialog.pin, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.context.signed_in is Role.INSPECTOR)
    view.activateWindow()
    qtbot.waitUntil(view.isActiveWindow)
    qtbot.keyClick(view, Qt.Key.Key_F11)
    assert line.operator is None
    hands.click(line.cards[key].edit)
    assert line.dialog is None
    assert window.door.dialog is not None
    window.door.dialog.reject()
    line.cards[key].remove.trigger()
    assert window.door.dialog is not None
    window.door.dialog.reject()
    assert list_stations(project)[0].name == "Press 3"


def test_a_button_pressed_just_as_another_part_comes_says_nothing_of_it(
    qtbot: QtBot, line: StationsSection, hands: Hands, window: MainWindow, taught: Taught, tmp_path: Path
) -> None:
    folder = tmp_path / "camera"
    folder.mkdir()
    hands.drop(taught[2][0], folder, "bad.png")
    key = hands.set_up(folder)
    hands.start(key)
    view = hands.operate(key)
    qtbot.waitUntil(lambda: view.shown is not None, timeout=hands.LONG)
    view._changed_at = operator_view.monotonic()
    view.say(agree=False)
    assert "just changed" in view.notice.text()
    project = window.context.project
    assert project is not None
    assert view.shown is not None
    assert list_reviews(project, view.shown.result_id) == []
    assert view.strip.place(0).contains(QPoint(5, 5))
    hands.stop()
    view.leave()


def test_the_window_opens_right_in_the_operator_view_of_a_named_station_and_starts_it(
    qtbot: QtBot, line: StationsSection, hands: Hands, window: MainWindow, tmp_path: Path
) -> None:
    """What `inspector operate` does once the window is there."""
    key = hands.set_up(tmp_path / "camera")
    app.operate(window, "press 9", start=True)
    qtbot.waitUntil(lambda: "no station “press 9”" in window.banner.message.text())
    app.operate(window, "PRESS 3", start=True)
    qtbot.waitUntil(lambda: line.operator is not None)
    view = line.operator
    assert view is not None
    qtbot.waitUntil(lambda: line.context.stations.running(key))
    qtbot.waitUntil(lambda: "1 station running" in window.job_bar.about.text())
    project = window.context.project
    assert project is not None
    assert list_stations(project)[0].on
    hands.click(view.head.start)  # it says Stop by now
    qtbot.waitUntil(lambda: not window.context.runner.stations, timeout=hands.LONG)
    qtbot.waitUntil(lambda: not list_stations(project)[0].on)
    view.leave()
