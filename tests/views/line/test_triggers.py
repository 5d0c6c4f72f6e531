"""Cameras in the setup, and pictures that an operator takes by the space bar."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from stations.sources.streams import Stream

from inspector.records.line.arrivals import list_arrivals
from inspector.records.line.stations import list_stations
from inspector.views.line.operator import view as operator_view

if TYPE_CHECKING:
    from conftest import Hands

    from inspector.views.line.stations.section import StationsSection
    from inspector.views.window.main_window import MainWindow


@pytest.fixture
def stream() -> Iterator[Stream]:
    made = Stream()
    yield made
    made.close()


def test_only_what_counts_is_asked_for_and_the_space_bar_takes_a_picture_that_is_judged_and_looked_at_closely(
    qtbot: QtBot,
    line: StationsSection,
    hands: Hands,
    window: MainWindow,
    stream: Stream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(operator_view, "JUST", 0.0)
    hands.click(line.empty.button)
    qtbot.waitUntil(lambda: line.dialog is not None)
    dialog = line.dialog
    assert dialog is not None
    dialog.name.setText("Press 3")
    dialog.source.setCurrentIndex(dialog.source.findData("genicam"))
    form = dialog.form
    assert form is not None

    def seen() -> set[str]:
        assert dialog is not None
        assert dialog.form is not None
        return {name for name, one in dialog.form.inputs.items() if one.isVisibleTo(dialog.form)}

    assert {"camera", "exposure", "gain", "features", "rate"} <= seen()
    assert "trigger_host" not in seen()
    choice = form.inputs["trigger"]
    choice.setCurrentIndex(choice.findData("mqtt"))  # type: ignore[attr-defined]
    assert "trigger_host" in seen()
    assert "rate" not in seen()
    hands.click(dialog.save_button)
    assert "“Broker” is missing" in dialog.said.text()

    dialog.source.setCurrentIndex(dialog.source.findData("camera"))
    assert dialog.form is not None
    dialog.form.inputs["device"].setText(f"http://127.0.0.1:{stream.port}/live")  # type: ignore[attr-defined]
    choice = dialog.form.inputs["trigger"]
    choice.setCurrentIndex(choice.findData("software"))  # type: ignore[attr-defined]
    hands.click(dialog.save_button)
    qtbot.waitUntil(lambda: line.dialog is None and len(line.cards) == 1)
    (key,) = line.cards
    project = window.context.project
    assert project is not None
    (row,) = list_stations(project)
    assert row.settings is not None
    assert row.settings.source.values["trigger"] == "software"
    hands.start(key)
    view = hands.operate(key)
    qtbot.waitUntil(view.head.trigger.isVisible)
    view.side.check.setFocus()
    QTest.keyClick(view, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: view.shown is not None, timeout=hands.LONG)
    assert len(list_arrivals(project, key)) == 1
    assert view.side.check.isEnabled()  # the button in focus wasn't pressed

    picture = view.picture
    shown = view.shown
    assert shown is not None
    qtbot.waitUntil(lambda: picture.pictured == shown.result_id, timeout=hands.LONG)
    QTest.mouseDClick(picture.view, Qt.MouseButton.LeftButton, pos=QPoint(50, 50))
    qtbot.waitUntil(picture.large.isVisible, timeout=hands.LONG)
    assert view.held is not None
    QTest.keyClick(view, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: len(list_arrivals(project, key)) == 2, timeout=hands.LONG)
    view.let_go()
    qtbot.waitUntil(lambda: view.shown is not None and view.shown.id != shown.id, timeout=hands.LONG)
    qtbot.waitUntil(picture.view.isVisible)
    hands.stop()
    view.leave()
