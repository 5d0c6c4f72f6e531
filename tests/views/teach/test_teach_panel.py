"""The panel that teaches: method, rate, what the shots can promise, and teaching itself."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from inspector.records.detectors import list_detectors
from inspector.verdicts.calibrate import parts_needed
from inspector.views.teach.page import TeachPage
from inspector.views.teach.panel.teach_panel import promise
from inspector.views.window.main_window import MainWindow

Picture = Callable[..., Path]
Idle = Callable[[], None]


def _classes(page: TeachPage) -> dict[str, tuple[int, str]]:
    return {row.name: (row.shots, str(row.state)) for row in page.classes.rows}


@pytest.mark.parametrize(
    ("shots", "rate", "text"),
    [
        (0, 0.05, "19 more good shots of washer let you promise 5\u00a0% false alarms; 4 are a good start."),
        (
            1,
            0.05,
            "From one shot of washer nothing is called NG, only sent to review. 18 more good shots of washer let you "
            "promise 5\u00a0% false alarms.",
        ),
        (
            4,
            0.05,
            "15 more good shots of washer let you promise 5\u00a0% false alarms; with 4 it is 20\u00a0% at best.",
        ),
        (
            18,
            0.05,
            "1 more good shot of washer let you promise 5\u00a0% false alarms; with 18 it is 5.26\u00a0% at best.",
        ),
        (19, 0.05, "washer: 19 shots are enough to promise 5\u00a0% false alarms."),
        (1, 0.5, "From one shot of washer nothing is called NG, only sent to review."),
    ],
)
def test_what_the_shots_can_promise_is_said_honestly(shots: int, rate: float, text: str) -> None:
    assert promise("washer", shots, rate) == text


@pytest.mark.parametrize("rate", [0.5, 0.2, 0.1, 0.05, 0.01, 0.001])
def test_as_many_shots_are_asked_for_as_the_rate_needs_and_no_more(rate: float) -> None:
    wanted = parts_needed(rate)
    assert 1 / (wanted + 1) <= rate + 1e-9
    assert wanted == 1 or 1 / wanted > rate


def test_anople_is_chosen_until_somebody_chooses_another_method(page: TeachPage) -> None:
    from inspector.settings import Settings

    page.context.settings = Settings()
    page.context.settings_changed.emit()
    assert page.panel.choice.method.currentData() == "anople"


def test_methods_that_need_text_are_greyed_while_the_weights_have_none(page: TeachPage) -> None:
    from inspector.settings import Settings

    box, name = page.panel.choice.method, "vit_small_patch14_reg4_dinov2"
    for weights, able in ((name, False), ("inspector-tiny", True)):
        page.context.settings = Settings(weights=weights)
        page.context.settings_changed.emit()
        item = box.model().item(box.findData("anople"))
        assert item.isEnabled() == able
        assert item.toolTip() == ("" if able else f"AnoPLe needs a text tower, and {name} has none.")
        assert box.model().item(box.findData("patchcore")).isEnabled()
        assert box.currentData() == ("anople" if able else "patchcore")
        assert ("AnoPLe needs a text tower" in page.panel.choice.needs.text()) != able


def test_the_method_and_the_rate_are_kept(project_window: MainWindow, page: TeachPage, idle: Idle) -> None:
    box = page.panel.choice.method
    box.setCurrentIndex(box.findData("subspace"))
    box.setCurrentIndex(box.findData("patchcore"))
    page.panel.rate.setValue(12.5)
    from inspector import settings

    idle()
    assert settings.load().method == "patchcore"
    assert settings.load().false_alarm_rate == 0.125
    assert "Remembers the patches" in page.panel.choice.line.text()


@pytest.mark.timeout(300)  # torch is imported here; slow on a busy machine
def test_teaching_runs_in_the_background_and_a_new_shot_makes_it_out_of_date(
    qtbot: QtBot, project_window: MainWindow, page: TeachPage, idle: Idle, picture: Picture
) -> None:
    page.add_class("washer")
    idle()
    page.accept_paths([picture(f"{number}.png", number) for number in range(2)])
    idle()
    page.panel.choice.method.setCurrentIndex(page.panel.choice.method.findData("patchcore"))
    with qtbot.waitSignal(project_window.context.detectors_changed, timeout=170000):
        page.panel.button.click()
        assert page.panel.progress.isVisible()
        assert not page.panel.button.isVisible()
        page.class_view.setFocus()  # the window stays usable
        assert page.header.add_button.isEnabled()
    idle()
    assert not project_window.banner.isVisible(), project_window.banner.message.text()
    assert _classes(page) == {"washer": (2, "taught")}
    assert page.panel.button.text() == "Teach again"
    assert ": quick, on 2 shots of washer" in page.panel.taught.text()
    assert page.panel.onward.isVisible()
    assert "PatchCore, 1 class" in project_window.job_bar.about.text()
    assert project_window.context.project is not None
    assert len(list_detectors(project_window.context.project)) == 1
    page.accept_paths([picture("new.png", 9)])
    idle()
    assert _classes(page) == {"washer": (3, "out of date")}
    assert page.panel.button.text() == "Teach 1 class"


@pytest.mark.timeout(300)
def test_cancelled_teaching_leaves_nothing_behind(
    qtbot: QtBot, project_window: MainWindow, page: TeachPage, idle: Idle, picture: Picture
) -> None:
    page.add_class("washer")
    idle()
    page.accept_paths([picture(f"{number}.png", number) for number in range(2)])
    idle()
    page.panel.button.click()
    page.panel.progress.cancel.click()
    assert page.panel.progress.cancel.text() == "Stopping…"
    qtbot.waitUntil(lambda: not project_window.context.runner.busy, timeout=170000)
    idle()
    assert _classes(page) == {"washer": (2, "ready to teach")}
    assert page.panel.button.isVisible()
    assert project_window.context.project is not None
    assert list_detectors(project_window.context.project) == []
