"""Qualify: the golden set."""

from __future__ import annotations

from typing import Any

from stage import Stage

from inspector.domain import Decision


def _golden(stage: Stage) -> Any:
    """The Qualify page with a golden set of the demo's washers and blisters."""
    page = stage.open_demo("results")
    stage.window.context.settings.reviewer = "Ada"
    stage.wait(lambda: page.model.rowCount() > 0)
    stage.wait(lambda: all(page.model.row(place) for place in range(page.model.rowCount())))
    rows = [page.model.row(place) for place in range(page.model.rowCount())]
    for word, states in ((Decision.OK, ("good",)), (Decision.NG, ("stain", "missing", "scratch"))):
        ids = [row.id for row in rows if any(state in row.name for state in states)]
        page.judging.edits.call_golden(ids[:7], word)
        stage.settle()
    stage.window.show_page("qualify")
    section = stage.window.page.section
    stage.wait(lambda: section.found.words)
    return section


def scene_qualify_empty(stage: Stage) -> None:
    stage.new_project()
    stage.window.show_page("qualify")


def scene_qualify_golden(stage: Stage) -> None:
    section = _golden(stage)
    section.check_button.click()
    stage.wait(lambda: section.found.checks)


def scene_golden_question(stage: Stage) -> None:
    """Thresholds are dragged to where a defective golden part would pass."""
    _golden(stage)
    page = stage.open_demo("inspect")
    stage.wait(lambda: page.model.rowCount() > 0)
    rows = [page.model.row(place) for place in range(page.model.rowCount())]
    page.queue.list.choose(next(row.id for row in rows if "blister_missing" in row.name))
    stage.wait(lambda: page.live.scores is not None and page.at_hand.shown is not None)
    page.panel.scores.move_to(0.9, 0.95)
    page.panel.scores._released()
    stage.wait(lambda: page.judging.edits.passing.box is not None)
    page.judging.edits.passing.box.buttons()[0].click()
    stage.wait(lambda: page.judging.edits.golden.box is not None)


def after_golden_question(stage: Stage) -> None:
    box = stage.window.page.judging.edits.golden.box
    if box is not None:
        box.reject()
    stage.settle()


def scene_qualify_smallest(stage: Stage) -> None:
    """Spots, scratches and missing pieces of four sizes, in the demo's washers."""
    from inspector.jobs import smallest

    stage.open_demo("results")
    stage.window.context.settings.reviewer = "Ada"
    before, smallest.SIZES, smallest.PLACES = (smallest.SIZES, smallest.PLACES), (0.01, 0.03, 0.08, 0.2), 1
    stage.window.show_page("qualify")
    stage.window.page.show_section("smallest")
    section = stage.window.page.section
    stage.wait(lambda: section.found.classes)
    section.classes.setCurrentText("washer")
    if section.test is None:
        section.test_button.click()
        stage.wait(lambda: section.test is not None)
    smallest.SIZES, smallest.PLACES = before


def scene_scale(stage: Stage) -> None:
    page = stage.open_demo("teach")
    stage.wait(lambda: page.look.isVisible())
    page.look.measure()
    stage.wait(lambda: _dialog(page) is not None and _dialog(page).canvas.picture is not None)
    _dialog(page).length.set_value(24.0, 2)
    _dialog(page)._told()


def after_scale(stage: Stage) -> None:
    if (dialog := _dialog(stage.window.pages["teach"])) is not None:
        dialog.reject()
    stage.settle()


def _dialog(page: Any) -> Any:
    from inspector.views.teach.looking.scale_dialog import ScaleDialog

    return next((one for one in page.look.findChildren(ScaleDialog) if one.isVisible()), None)
