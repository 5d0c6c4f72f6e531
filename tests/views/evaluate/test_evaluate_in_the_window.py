"""Evaluate in the whole window."""

import shutil

import pytest
from PySide6.QtCore import Qt

from inspector.views.evaluate.report import HEADINGS


@pytest.mark.parametrize("typed", ["abc-5", "-5", "99999", "nan", ""])
def test_a_threshold_of_an_evaluation_is_refused_alike(window, measured, tmp_path, idle, qtbot, typed):
    window.show_page("evaluate")
    folder = shutil.copytree(measured / "first", tmp_path / "first")
    window.take_paths([folder])
    page = window.page
    qtbot.waitUntil(lambda: page.report.evaluation is not None)
    idle()
    report = page.report
    names = [
        report.model.index(row, HEADINGS.index("Class")).data() for row in range(report.model.rowCount())
    ]
    report.table.setCurrentIndex(report.model.index(names.index("cloth"), 0))
    confusion = report.confusion
    qtbot.waitUntil(confusion.box.isVisible)
    before, shown = confusion.threshold, confusion.box.text()
    qtbot.mouseClick(confusion.box, Qt.MouseButton.LeftButton)
    confusion.box.selectAll()
    qtbot.keyClick(confusion.box, Qt.Key.Key_Backspace)
    qtbot.keyClicks(confusion.box, typed)
    qtbot.keyClick(confusion.box, Qt.Key.Key_Return)
    assert confusion.threshold == before
    assert confusion.box.text() == shown
    assert "ype a number from" in confusion.words.text()
