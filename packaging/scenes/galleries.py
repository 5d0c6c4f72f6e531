"""Results as pictures, and one of them large beside the others."""

from __future__ import annotations

from stage import Stage

from inspector.views.results.kept import keep


def scene_results_preview(stage: Stage) -> None:
    page = stage.open_demo("results")
    stage.wait(lambda: page.model.rowCount() > 0)
    stage.wait(lambda: all(page.model.row(place) for place in range(page.model.rowCount())))
    rows = [page.model.row(place) for place in range(page.model.rowCount())]
    if not page.bar.preview.isChecked():
        page.bar.preview.click()
    page.selection.choose([next(row.id for row in rows if "washer_dent" in row.name)])
    stage.wait(lambda: page.preview.shown is not None)


def scene_results_disagree(stage: Stage) -> None:
    """Two people's words on one washer, and what taught the detector among the results."""
    from inspector.domain import Decision
    from inspector.records.reviews import add_review

    page = stage.open_demo("results")
    stage.wait(lambda: page.model.rowCount() > 0)
    project = stage.window.context.project
    assert project is not None
    result_id = int(page.model.ids[5])
    add_review(project, [result_id], Decision.NG, who="Ada", reason="dent at the rim")
    add_review(project, [result_id], Decision.OK, who="Bo")
    stage.window.context.results_changed.emit()
    page.filters.reviewed.setCurrentText("People disagree")
    page.filters.changed.emit()
    stage.settle()
    page.selection.choose([result_id])
    stage.settle()
    page.override()
    stage.wait(lambda: page.popup.isVisible())


def after_results_disagree(stage: Stage) -> None:
    from inspector.records.reviews import list_reviews, withdraw_review

    project, page = stage.window.context.project, stage.window.pages["results"]
    assert project is not None
    page.popup.reject()
    said = [
        one.id for one in list_reviews(project, int(page.model.ids[0])) if one.decision and not one.withdrawn
    ]
    withdraw_review(project, said, who="Ada")
    page.filters.reset()
    stage.window.context.results_changed.emit()
    _as_it_was(stage)


def scene_results_shots(stage: Stage) -> None:
    """Shots that were inspected too: marked, and not counted."""
    from inspector.records.files import ImageFacts
    from inspector.records.inspected.new_results import NewResult, record_results
    from inspector.records.inspected.runs import list_runs, start_run
    from inspector.records.shots import list_shots

    page = stage.open_demo("results")
    project = stage.window.context.project
    assert project is not None
    run_id = start_run(project, list_runs(project)[0].detector_id, "Once more")
    record_results(
        project,
        run_id,
        [
            NewResult(
                one.name, ImageFacts(one.sha256, ".png", one.size, one.mode), None, one.class_id, 1, 0.1
            )
            for one in list_shots(project)[:3]
        ],
    )
    stage.window.context.results_changed.emit()
    stage.wait(lambda: page.model.rowCount() > 50)
    page.bar.gallery.setChecked(True)
    page.selection.choose([int(page.model.ids[1])], in_sight=True)
    stage.settle(1.0)


def after_results_shots(stage: Stage) -> None:
    from inspector.records.inspected.runs import list_runs, remove_run

    project = stage.window.context.project
    assert project is not None
    remove_run(project, list_runs(project)[0].id)
    stage.window.context.results_changed.emit()
    _as_it_was(stage)


def scene_results_gallery(stage: Stage) -> None:
    page = stage.open_demo("results")
    stage.wait(lambda: page.model.rowCount() > 0)
    if page.bar.preview.isChecked():
        page.bar.preview.click()
    page.bar.gallery.setChecked(True)
    stage.settle(1.0)
    page.selection.choose([int(page.model.ids[place]) for place in (1, 2)])
    stage.wait(lambda: all(page.model.row(place) for place in page.gallery.places(page.gallery.rect())))
    stage.settle(1.0)


def after_results_gallery(stage: Stage) -> None:
    _as_it_was(stage)


def after_results_preview(stage: Stage) -> None:
    _as_it_was(stage)


def _as_it_was(stage: Stage) -> None:
    """The table, nothing chosen, and a preview where there is room."""
    page = stage.window.pages["results"]
    page.bar.table.setChecked(True)
    keep("preview", "")
    page._place_preview()
    page.table.clearSelection()
    stage.settle()
