"""Studies of who judges how, on the Qualify page."""

from __future__ import annotations

import random
from typing import Any

from PySide6.QtWidgets import QScrollArea
from stage import Stage

from inspector.domain import Decision
from inspector.records.project import Project
from inspector.records.qualification import studies
from inspector.records.qualification.candidates import list_candidates
from inspector.records.reviews import NewReview, add_reviews

_PEOPLE = {"Ada": 0.0, "Bo": 0.04, "Cyril": 0.15}
"""How often each says the wrong word."""


def scene_qualify_study_empty(stage: Stage) -> None:
    stage.new_project()
    _section(stage)


def scene_qualify_study_new(stage: Stage) -> None:
    stage.open_demo("qualify")
    _review(stage)
    section = _section(stage)
    section.new()
    stage.wait(lambda: section.form.chosen)
    section.form.title.setText("Final inspection, all products")
    for field, name in zip(section.form.people, _PEOPLE, strict=True):
        field.setText(name)


def after_qualify_study_new(stage: Stage) -> None:
    stage.window.page.section.form.cancel.click()


def scene_qualify_study(stage: Stage) -> None:
    section, project = _study(stage)
    _said(project, section.rows[0], trials=1)
    section.refresh()
    stage.settle()


def scene_qualify_study_judge(stage: Stage) -> None:
    section, project = _study(stage)
    row = section.rows[0]
    for position in studies.order_of(row, "Bo", 1)[:7]:
        studies.say(project, row.id, "Bo", 1, position, Decision.OK)
    section.begin(row, "Bo")
    stage.wait(section.judge.ok.isEnabled)


def after_qualify_study_judge(stage: Stage) -> None:
    stage.window.page.section.judge.pause.click()
    stage.settle()


def scene_qualify_study_trial_done(stage: Stage) -> None:
    section, project = _study(stage)
    row = section.rows[0]
    for position in range(1, row.parts + 1):
        studies.say(project, row.id, "Bo", 1, position, Decision.OK)
    section.begin(row, "Bo")
    stage.wait(section.judge.finish.isVisible)


def after_qualify_study_trial_done(stage: Stage) -> None:
    after_qualify_study_judge(stage)


def scene_qualify_study_report(stage: Stage) -> None:
    section, project = _study(stage)
    _said(project, section.rows[0], trials=2)
    section.show_report(studies.find_study(project, section.rows[0].id))
    stage.wait(lambda: section.report.outcome)


def scene_qualify_study_disputed(stage: Stage) -> None:
    scene_qualify_study_report(stage)
    stage.settle()
    section = stage.window.page.section
    section.report.findChild(QScrollArea).verticalScrollBar().setValue(420)


def after_qualify_study_report(stage: Stage) -> None:
    stage.window.page.section.report.back.click()


def _section(stage: Stage) -> Any:
    stage.window.show_page("qualify")
    stage.window.page.show_section("study")
    stage.settle()
    return stage.window.page.section


def _review(stage: Stage) -> Project:
    """Every result of the demo is judged as its name says."""
    project = stage.window.context.project
    assert project is not None
    from inspector.records.inspected.results import list_results, result_ids

    words = [
        NewReview(row.id, Decision.OK if "good" in row.name else Decision.NG)
        for row in list_results(project, result_ids(project))
        if row.decision is not None and row.override is None
    ]
    add_reviews(project, words, who="Ada")
    return project


def _study(stage: Stage) -> tuple[Any, Project]:
    stage.open_demo("qualify")
    project = _review(stage)
    parts = [one.part for one in list_candidates(project)]
    studies.add_study(project, "Final inspection, all products", parts, [*_PEOPLE], 2, who="Ada")
    section = _section(stage)
    section.refresh()
    stage.wait(lambda: section.rows)
    stage.settle()
    return section, project


def _said(project: Project, row: studies.StudyRow, trials: int) -> None:
    """What people say in so many trials; the last one only begins."""
    drawn = random.Random(3)
    for name, wrong in _PEOPLE.items():
        for trial in range(1, trials + 1):
            for part in studies.study_parts(project, row.id):
                right = part.expected or Decision.OK
                slip = drawn.random() < wrong
                word = (Decision.OK if right is Decision.NG else Decision.NG) if slip else right
                studies.say(project, row.id, name, trial, part.position, word)
            if trials > 1 or name != "Cyril":
                studies.finish(project, row.id, name, trial)
