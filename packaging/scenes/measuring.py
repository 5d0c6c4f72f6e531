"""Evaluations."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from stage import Stage


def _evaluate(stage: Stage, measured: int = 2) -> Any:
    """The Evaluate page of the demo project, with so many evaluations in it."""
    page = stage.open_demo("evaluate")
    for number, method in list(enumerate(("patchcore", "subspace")))[page.list.count() : measured]:
        page.accept_paths([stage.parts])
        stage.wait(lambda: page.setup.found is not None)
        for name, box in page.setup.methods.items():
            box.setChecked(name == method)
        page.setup.seeds.setValue(1)
        page.setup.run.click()
        stage.wait(lambda wanted=number + 1: page.list.count() == wanted, 600)
    stage.calm()
    stage.settle()
    return page


def scene_evaluate_new(stage: Stage) -> None:
    page = stage.open_demo("evaluate")
    page.accept_paths([stage.parts])
    stage.wait(lambda: page.setup.found is not None)


def scene_evaluate(stage: Stage) -> None:
    page = _evaluate(stage)
    page.list.setCurrentRow(0)
    stage.wait(lambda: page.stack.currentWidget() is page.report)
    page.report.shown.setCurrentIndex(page.report.shown.count() - 1)
    page.report.shown.activated.emit(0)
    page.report.table.setCurrentIndex(page.report.model.index(1, 0))
    page.report.kind.setCurrentIndex(page.report.kind.findData("pro"))


def scene_evaluate_confirmed(stage: Stage) -> None:
    """What parts that are confirmed good make of the false alarms."""
    from inspector.domain import CancelToken
    from inspector.jobs.evaluation.plan import EvaluationPlan
    from inspector.jobs.evaluation.run import evaluate

    page = stage.open_demo("evaluate")
    with tempfile.TemporaryDirectory() as top:
        plan = EvaluationPlan(
            stage.parts,
            ("patchcore",),
            (1, 4),
            (0,),
            Path(top) / "parts confirmed",
            false_alarm_rate=0.05,
            confirmed=(0, 1, 2),
        )
        evaluate(plan, emit=lambda event: None, cancel=CancelToken())
        page.accept_paths([plan.output / "results.json"])
        stage.wait(lambda: page.stack.currentWidget() is page.report, 600)
    page.report.shown.setCurrentIndex(page.report.shown.findData("confirmed"))
    page.report.shown.activated.emit(0)


def scene_evaluate_images(stage: Stage) -> None:
    page = _evaluate(stage)
    page.list.setCurrentRow(0)
    stage.wait(lambda: page.stack.currentWidget() is page.report)
    page.report.open_cell(True, True)


def scene_evaluate_compare(stage: Stage) -> None:
    page = _evaluate(stage)
    page.list.selectAll()
    stage.wait(lambda: page.stack.currentWidget() is page.compare)
    page.compare.figure.setCurrentIndex(page.compare.figure.findData("aupro"))
    page.compare.kind.setCurrentIndex(page.compare.kind.findData("pro"))
