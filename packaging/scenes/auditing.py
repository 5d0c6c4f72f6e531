"""The audit on the Qualify page."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from stage import Stage

from inspector.domain import Decision
from inspector.views.review.verdict_edits import Review


def _audit(stage: Stage) -> Any:
    page = stage.window.page
    page.show_section("audit")
    stage.settle()
    stage.calm()
    return page.section


def scene_qualify_audit(stage: Stage) -> None:
    """After some parts were judged and thresholds moved."""
    from inspector.domain import Thresholds
    from inspector.records.thresholds import list_thresholds, set_thresholds

    context = stage.window.context
    context.settings.reviewer = "Ada"
    page = stage.open_demo("inspect")
    stage.wait(lambda: page.model.rowCount() > 0)
    stage.wait(lambda: all(page.model.row(place) for place in range(page.model.rowCount())))
    rows = [page.model.row(place) for place in range(page.model.rowCount())]
    good = tuple(row.id for row in rows if "washer_good" in row.name)
    page.judging.edits.review([Review(good, Decision.OK, "seen under the microscope")])
    stage.settle()
    project = context.project
    assert project is not None
    project.who = "Ada"
    detector_id = rows[0].detector_id
    for class_id, row in list_thresholds(project, detector_id).items():
        old = row.thresholds
        set_thresholds(
            project, detector_id, class_id, Thresholds(old.review * 0.9, old.ng * 1.1, old.pixel), who="Bo"
        )
        set_thresholds(project, detector_id, class_id, old, who="Ada")
    stage.window.show_page("qualify")
    _audit(stage)


def after_qualify_audit(stage: Stage) -> None:
    stage.window.context.undo.undo()


def scene_qualify_audit_empty(stage: Stage) -> None:
    stage.new_project()
    stage.window.show_page("qualify")
    _audit(stage)


def scene_qualify_audit_broken(stage: Stage) -> None:
    """Somebody changed an act in the database itself."""
    from inspector.records.classes import add_class

    stage.new_project()
    project = stage.window.context.project
    assert project is not None
    project.who = "Ada"
    for name in ("washer", "blister", "cloth"):
        add_class(project, name)
    with closing(sqlite3.connect(project.folder / "project.sqlite")) as connection:
        connection.execute("DROP TRIGGER acts_no_update")
        connection.execute("UPDATE acts SET who = 'Bo' WHERE id = 2")
        connection.commit()
    stage.window.show_page("qualify")
    _audit(stage)


def after_qualify_audit_broken(stage: Stage) -> None:
    stage.window.pages["qualify"].show_section("golden")
