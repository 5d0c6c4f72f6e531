"""A detector that goes to another computer as a file, and one that arrives."""

from __future__ import annotations

from stage import Stage

from inspector.views.teach.detector_history import DetectorHistory
from inspector.views.window.taking_over import TakeOverDialog


def scene_hand_over(stage: Stage) -> None:
    page = stage.open_demo("teach")
    page.panel.history.click()
    (history,) = page.findChildren(DetectorHistory)
    stage.wait(lambda: bool(history.past))
    history.table.selectRow(0)
    file = stage.work / "washer.inspector"
    file.unlink(missing_ok=True)
    history.hand_over(history.past[0].row, file)
    stage.wait(lambda: "Fingerprint" in history.said.text())


def after_hand_over(stage: Stage) -> None:
    for history in stage.window.pages["teach"].findChildren(DetectorHistory):
        history.close()


def scene_take_over(stage: Stage) -> None:
    scene_hand_over(stage)
    after_hand_over(stage)
    stage.window.take_paths([stage.work / "washer.inspector"])
    stage.wait(lambda: bool(stage.window.findChildren(TakeOverDialog)))
    (dialog,) = stage.window.findChildren(TakeOverDialog)
    for name, field in list(dialog.fields.items())[:1]:
        field.setText(f"{name} 2")


def after_take_over(stage: Stage) -> None:
    for dialog in stage.window.findChildren(TakeOverDialog):
        dialog.reject()
