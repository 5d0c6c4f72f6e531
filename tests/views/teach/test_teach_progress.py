"""The teaching job as it is shown, and what is said of each method."""

import pytest
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from inspector.domain import JobLog, JobProgress
from inspector.methods.catalogue import METHODS
from inspector.views.look import theme
from inspector.views.shared.context import WindowContext
from inspector.views.teach.panel.loss_curve import LossCurve
from inspector.views.teach.panel.method_choice import needs
from inspector.views.teach.panel.teach_panel import TeachPanel
from inspector.views.teach.panel.teach_progress import TeachProgress


@pytest.fixture
def progress(qtbot: QtBot, context: WindowContext) -> TeachProgress:
    made = TeachProgress(context)
    qtbot.addWidget(made)
    made.resize(288, 400)
    made.begin()
    made.details.click()
    return made


def epoch(number: int, loss: float, **terms: float) -> JobLog:
    values = {"loss": loss, **terms, "epoch": float(number), "epochs": 40.0, "seconds_left": 3.0}
    return JobLog(1, f"Epoch {number} of 40: loss {loss:.4f}", values)


def blue(curve: LossCurve) -> list[tuple[int, int]]:
    """Where the line is drawn."""
    image = curve.grab().toImage()
    ink = QColor(theme.ACCENT)
    return [
        (x, y)
        for x in range(image.width())
        for y in range(image.height())
        if abs(image.pixelColor(x, y).blue() - ink.blue()) + abs(image.pixelColor(x, y).red() - ink.red())
        < 12
    ]


def test_the_loss_is_drawn_from_the_first_epoch_and_stands_in_words(progress: TeachProgress) -> None:
    assert not progress.curve.isVisible()
    for number in range(1, 21):
        progress.take(JobProgress(1, 15 + number, 100, f"Epoch {number} of 40: loss 1"))
        progress.take(epoch(number, 4.0 / number, focal=0.1, dice=0.2))
    assert progress.curve.isVisible()
    assert progress.curve.points[0] == (1.0, 4.0)
    assert progress.curve.points[-1] == (20.0, 0.2)
    assert progress.curve.accessibleDescription() == "Epoch 20: loss 0.2"
    assert progress.message.text() == "Learning"
    assert progress.terms.text() == "focal 0.1 · dice 0.2"
    assert progress.log.text() == ""
    drawn = blue(progress.curve)
    left, right = (x for x, _ in (min(drawn), max(drawn)))
    width = progress.curve.width()
    assert left < 0.25 * width
    assert 0.45 * width < right < 0.7 * width  # half of the epochs are still to come
    assert min(y for x, y in drawn if x <= left + 2) < min(y for x, y in drawn if x >= right - 2)


def test_a_second_round_begins_a_new_curve_and_another_teaching_an_empty_one(progress: TeachProgress) -> None:
    for number in (1, 2, 3):
        progress.take(epoch(number, 1.0))
    progress.take(epoch(1, 0.5))
    assert progress.curve.points == [(1.0, 0.5)]
    progress.take(epoch(2, float("nan")))
    assert progress.curve.points == [(1.0, 0.5)]
    progress.begin()
    assert progress.curve.points == []
    assert not progress.curve.isVisible()


def test_thousands_of_epochs_are_thinned_but_keep_the_newest() -> None:
    curve = LossCurve()
    for number in range(1, 3001):
        curve.add(number, 1 / number, 3000)
    assert len(curve.points) <= curve.KEPT
    assert curve.points[-1][0] == 3000
    assert [at for at, _ in curve.points] == sorted({at for at, _ in curve.points})
    curve.deleteLater()


def test_other_lines_of_the_log_are_kept_few(progress: TeachProgress) -> None:
    for number in range(9):
        progress.take(JobLog(1, f"line {number}"))
    assert progress.log.text().split("\n") == [f"line {number}" for number in range(4, 9)]


@pytest.mark.parametrize("name", list(METHODS))
def test_each_method_says_what_it_does_and_needs(qtbot: QtBot, context: WindowContext, name: str) -> None:
    panel = TeachPanel(context)
    qtbot.addWidget(panel)
    panel.choice.method.setCurrentIndex(panel.choice.method.findData(name))
    info = METHODS[name]
    assert panel.choice.line.text().startswith(info.line)
    assert ("Rebuilt from its paper" in panel.choice.line.text()) == info.reconstruction
    assert ("(reconstruction)" in panel.choice.method.currentText()) == info.reconstruction
    said = panel.choice.needs.text()
    assert said == needs(info)
    assert ("text tower" in said) == ("text" in info.needs)
    assert ("the class" in said) == ("class" in info.needs)
    assert ("loss is shown" in said) == info.learns
