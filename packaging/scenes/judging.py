"""Inspect and Results."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from stage import Stage

from inspector.domain import Decision
from inspector.views.review.verdict_edits import Review
from inspector.views.teach.detector_history import DetectorHistory
from inspector.views.teach.shot_doctor_dialog import ShotDoctorDialog


def scene_inspect_empty(stage: Stage) -> None:
    stage.new_project()
    stage.window.show_page("inspect")


def scene_results_empty(stage: Stage) -> None:
    stage.new_project()
    stage.window.show_page("results")


def _results(stage: Stage, part: str) -> list[int]:
    """Ids of the results whose name holds `part`."""
    model = stage.window.page.model
    rows = [model.row(place) for place in range(model.rowCount())]
    return [row.id for row in rows if part in row.name]


def _inspect(stage: Stage, name: str) -> Any:
    """The Inspect page at the result of this name, its heat and histogram there."""
    page = stage.open_demo("inspect")
    stage.wait(lambda: page.model.rowCount() > 0)
    stage.wait(lambda: all(page.model.row(place) for place in range(page.model.rowCount())))
    rows = [page.model.row(place) for place in range(page.model.rowCount())]
    page.queue.list.choose(next(row.id for row in rows if name in row.name))
    stage.wait(lambda: page.at_hand.shown is not None and name in page.at_hand.shown.detail.row.name)
    stage.wait(lambda: page.live.scores is not None or page.at_hand.shown.pixels.picture is None)
    page.viewer.set_mode(0)
    page.viewer.view.fit()
    return page


def scene_inspect(stage: Stage) -> None:
    _inspect(stage, "blister_missing")


def scene_inspect_good(stage: Stage) -> None:
    _inspect(stage, "washer_good")


def _another_product(stage: Stage, picture: Path | None = None) -> None:
    """A picture of a product that nobody taught, inspected beside the demo's parts."""
    page = stage.open_demo("inspect")
    stage.window.context.settings.reviewer = "Ada"
    page.accept_paths([picture or _unknown(stage)])
    stage.wait(lambda: page.at_hand.shown and "camera" in page.at_hand.shown.detail.row.name)
    stage.wait(lambda: not stage.window.context.runner.busy and page.live.scores is not None)
    stage.settle()


def _unknown(stage: Stage) -> Path:
    import numpy as np
    import PIL.Image

    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:384, :384]
    rings = 120 + 70 * np.sin(np.hypot(rows - 190, columns - 200) / 4) + rng.normal(0, 6, (384, 384))
    folder = stage.work / "Unknown"
    folder.mkdir(exist_ok=True)
    target = folder / "camera_2_0417.png"
    tinted = rings[..., None] * (0.6, 0.9, 1.0)
    PIL.Image.fromarray(np.clip(tinted, 0, 255).astype(np.uint8)).save(target)
    return target


def _moved(stage: Stage) -> Path:
    """A good blister, by a camera that was shifted and turned a little."""
    import cv2

    from inspector.images.demo import parts

    pixels, _ = parts.draw("blister", 77)
    matrix = cv2.getRotationMatrix2D((256, 256), 2, 1)
    matrix[:, 2] += -62, 8
    shifted = cv2.warpAffine(pixels, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    folder = stage.work / "Moved"
    folder.mkdir(exist_ok=True)
    cv2.imwrite(str(folder / "camera_1_0031.png"), cv2.cvtColor(shifted, cv2.COLOR_RGB2BGR))
    return folder / "camera_1_0031.png"


def scene_inspect_moved_camera(stage: Stage) -> None:
    _another_product(stage, _moved(stage))


def scene_results_moved_camera(stage: Stage) -> None:
    _another_product(stage, _moved(stage))
    page = stage.open_demo("results")
    stage.wait(lambda: page.model.rowCount() > 0)


def scene_inspect_another_product(stage: Stage) -> None:
    _another_product(stage)


def _without_single_parts(stage: Stage) -> None:
    """The scenes after this one are of the demo's own run."""
    from inspector.records.inspected.runs import list_runs, remove_run

    project = stage.window.context.project
    for run in list_runs(project):
        if run.counts.total == 1:
            remove_run(project, run.id)
    stage.window.context.results_changed.emit()
    stage.settle()


after_inspect_moved_camera = after_results_moved_camera = _without_single_parts
after_inspect_another_product = after_results_another_product = _without_single_parts


def scene_inspect_product_question(stage: Stage) -> None:
    """Other products are to be told apart no longer."""
    scene_inspect_another_product(stage)
    page = stage.window.page
    stage.window.context.settings.reviewer = "Ada"
    stage.wait(lambda: page.panel.product.isVisible())
    page.panel.product.box.click()
    stage.wait(lambda: page.judging.edits.products.box is not None)


def after_inspect_product_question(stage: Stage) -> None:
    box = stage.window.page.judging.edits.products.box
    if box is not None:
        box.reject()
    stage.settle()
    _without_single_parts(stage)


def scene_results_another_product(stage: Stage) -> None:
    _another_product(stage)
    page = stage.open_demo("results")
    stage.wait(lambda: page.model.rowCount() > 0)


def scene_inspect_contour(stage: Stage) -> None:
    page = _inspect(stage, "cloth_scratch")
    page.viewer.set_mode(1)


def scene_inspect_why(stage: Stage) -> None:
    page = _inspect(stage, "washer_stain")
    page.viewer.why.setChecked(True)
    stage.wait(lambda: page.viewer.good.words.isVisible())


def scene_teach_no_defect(stage: Stage) -> None:
    """A place was called no defect, and what comes of it waits."""
    page = _inspect(stage, "washer_stain")
    stage.wait(lambda: page.viewer.view.regions)
    stage.window.context.settings.reviewer = "Ada"
    page.no_defects.call(page.viewer.view.regions[0])
    stage.window.show_page("teach")
    teach = stage.window.page
    stage.wait(teach.proposal.isVisible)
    names = [row.name for row in teach.classes.rows]
    teach.class_view.setCurrentIndex(teach.classes.index(names.index("washer")))
    stage.wait(lambda: teach.shots.rows and teach.shots.rows[-1].place is not None)
    teach.grid.scrollToBottom()


def scene_teach_history(stage: Stage) -> None:
    """After a place was called no defect: what changed from one detector to the next."""
    scene_teach_no_defect(stage)
    stage.window.page.panel.history.click()
    stage.settle()
    history = next(one for one in stage.window.findChildren(DetectorHistory) if one.isVisible())
    stage.wait(lambda: history.past)
    history.table.selectRow(1)


def scene_teach_shots_examined(stage: Stage) -> None:
    """What each shot is good for, once good parts and defects were judged."""
    page = _inspect(stage, "washer_good")
    good, bad = _results(stage, "washer_good")[:4], _results(stage, "washer_stain")[:1]
    words = [Review(tuple(good), Decision.OK), Review(tuple(bad), Decision.NG)]
    stage.window.context.settings.reviewer = "Ada"
    page.judging.edits.review(words)
    stage.settle()
    stage.window.show_page("teach")
    teach = stage.window.page
    stage.wait(lambda: teach.classes.rows)
    names = [row.name for row in teach.classes.rows]
    teach.class_view.setCurrentIndex(teach.classes.index(names.index("washer")))
    stage.settle()
    teach.header.examine_button.click()
    (dialog,) = (one for one in stage.window.findChildren(ShotDoctorDialog) if one.isVisible())
    stage.wait(lambda: dialog.examined is not None)


def after_teach_shots_examined(stage: Stage) -> None:
    for dialog in stage.window.findChildren(ShotDoctorDialog):
        dialog.close()
    stage.window.context.undo.undo()


def after_teach_history(stage: Stage) -> None:
    for history in stage.window.findChildren(DetectorHistory):
        history.close()
    stage.window.context.undo.undo()


def after_teach_no_defect(stage: Stage) -> None:
    stage.window.context.undo.undo()


def scene_inspect_compare(stage: Stage) -> None:
    page = _inspect(stage, "washer_stain")
    page.viewer.compare.setChecked(True)
    stage.wait(lambda: page.viewer.good.view.picture is not None)


def after_inspect_compare(stage: Stage) -> None:
    stage.window.page.viewer.compare.setChecked(False)


def scene_inspect_threshold(stage: Stage) -> None:
    page = _inspect(stage, "blister_stain")
    page.panel.scores.move_to(0.16, 0.24)


def after_inspect_threshold(stage: Stage) -> None:
    stage.window.page.live.refresh()
    stage.settle()


def scene_inspect_override(stage: Stage) -> None:
    page = _inspect(stage, "blister_dent")
    page.override()
    stage.wait(page.popup.isVisible)
    page.popup.reason.setText("reflection, not a dent")


def after_inspect_override(stage: Stage) -> None:
    stage.window.page.popup.close()


def scene_inspect_question(stage: Stage) -> None:
    page = _inspect(stage, "blister_dent")
    page.panel.scores.move_to(0.9, 0.9)
    page.panel.scores.histogram.released.emit()
    stage.wait(stage.application.activeModalWidget)


def after_inspect_question(stage: Stage) -> None:
    stage.application.activeModalWidget().reject()
    stage.settle()


def scene_inspect_confirm(stage: Stage) -> None:
    page = _inspect(stage, "blister_missing")
    page.queue.confirm.click()
    stage.wait(lambda: page.confirming.box is not None)


def after_inspect_confirm(stage: Stage) -> None:
    stage.window.page.confirming.box.reject()


def scene_inspect_thresholds_from(stage: Stage) -> None:
    """All good blisters confirmed, one defective marked."""
    page = _inspect(stage, "blister_missing")
    stage.window.context.settings.reviewer = "Ada"
    page.judging.edits.review(
        [
            Review(tuple(_results(stage, "blister_good")), Decision.OK),
            Review((page.at_hand.rows[0].id,), Decision.NG),
        ]
    )
    stage.wait(lambda: page.panel.scores.news.text())
    page.panel.scores.others.click()
    stage.wait(lambda: page.live.others is not None and page.live.others.proposal is not None)


def after_inspect_thresholds_from(stage: Stage) -> None:
    page = stage.window.page
    page.live.others.reject()
    stage.window.context.undo.undo()
    stage.wait(lambda: not page.panel.scores.news.text())


def scene_inspect_refused(stage: Stage) -> None:
    page = _inspect(stage, "blister_dent")
    page.panel.scores.ng_box.setText("0.05")
    page.panel.scores.ng_box.editingFinished.emit()


def scene_inspect_filtered(stage: Stage) -> None:
    results = stage.open_demo("results")
    results.filters.verdict.setCurrentIndex(3)
    results.filters.reviewed.setCurrentIndex(1)
    results.filters.verdict.activated.emit(3)
    stage.settle()
    results.table.selectRow(0)
    results._open_current()


def after_inspect_filtered(stage: Stage) -> None:
    stage.window.page.queue.chip.click()
    stage.window.pages["results"].filters.reset()


def scene_inspect_failed(stage: Stage) -> None:
    stage.open_demo("inspect")
    folder = stage.work / "from the line"
    folder.mkdir(exist_ok=True)
    (folder / "camera 2 0117.png").write_bytes(b"")
    for file in sorted((stage.parts / "washer" / "test").rglob("*.png"))[:3]:
        shutil.copy(file, folder / f"{file.parent.name} {file.name}")
    page = stage.window.page
    page.accept_paths([folder])
    stage.wait(lambda: not stage.window.context.runner.busy)
    stage.wait(lambda: page.model.rowCount() == 4)
    _inspect(stage, "camera 2 0117")


def after_inspect_failed(stage: Stage) -> None:
    """Without its run, the newest is the demo's again."""
    from inspector.records.inspected.runs import list_runs, remove_run

    project = stage.window.context.project
    remove_run(project, max(run.id for run in list_runs(project)))
    stage.window.context.results_changed.emit()
    stage.settle()


def scene_results(stage: Stage) -> None:
    page = stage.open_demo("results")
    stage.wait(lambda: page.model.rowCount() > 0)


def scene_results_export(stage: Stage) -> None:
    page = stage.open_demo("results")
    page.export()
    page.exporter.folder.setText("/home/ada/Documents/Line 3/exports")


def after_results_export(stage: Stage) -> None:
    stage.window.page.export_button.setChecked(False)


def scene_inspect_outline(stage: Stage) -> None:
    page = _inspect(stage, "washer_stain")
    stage.window.context.settings.reviewer = "Ada"
    page.outline.draw()
    stage.wait(lambda: page.outline.dialog is not None and page.outline.dialog.isVisible())


def after_inspect_outline(stage: Stage) -> None:
    stage.window.page.outline.dialog.reject()
