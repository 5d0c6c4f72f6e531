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
