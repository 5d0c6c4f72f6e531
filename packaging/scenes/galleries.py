"""Results as pictures, and one of them large beside the others."""

from __future__ import annotations

from stage import Stage


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
    page = stage.window.pages["results"]
    page.popup.reject()
    page.filters.reset()
    stage.settle()


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
    page = stage.window.pages["results"]
    page.bar.table.setChecked(True)
    page.bar.preview.click()
    page.table.clearSelection()
    stage.settle()
