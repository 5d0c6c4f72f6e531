"""Start, Teach, preferences, and what lies over every page."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog
from stage import Stage

from inspector.images.area import Area


def scene_start(stage: Stage) -> None:
    stage.window.show_page("start")


def scene_start_new(stage: Stage) -> None:
    stage.window.show_page("start")
    stage.window.start.show_new()
    stage.window.start.form.name.setText("Gearbox line 3")
    stage.window.start.form.folder.setText("/home/ada/Documents/Gearbox line 3")


def scene_teach_empty(stage: Stage) -> None:
    stage.new_project()


def scene_teach_no_shots(stage: Stage) -> None:
    page = stage.new_project()
    page.add_class("gear wheel")
    stage.wait(lambda: page.chosen_class is not None)


def scene_teach_classes(stage: Stage) -> None:
    page = stage.new_project()
    for number, product in enumerate(sorted(path for path in stage.parts.iterdir() if path.is_dir())):
        shots = sorted((product / "train" / "good").iterdir())[: 4 - number]
        page.add_class(product.name)
        stage.wait(lambda name=product.name: page.chosen_class and page.chosen_class.name == name)
        page.accept_paths(shots)
        stage.wait(lambda wanted=len(shots): page.shots.rowCount() == wanted)
    page.grid.setCurrentIndex(page.shots.index(0))


def scene_teach(stage: Stage) -> None:
    stage.open_demo("teach")


def scene_teach_smallest(stage: Stage) -> None:
    page = stage.open_demo("teach")
    page.look.pixels.setValue(10)
    stage.wait(lambda: "tiles" in page.look.said.text())


def after_teach_smallest(stage: Stage) -> None:
    page = stage.open_demo("teach")
    page.look.pixels.setValue(page.look.pixels.maximum())
    stage.wait(lambda: "whole" in page.look.said.text())


def scene_teach_area(stage: Stage) -> None:
    page = stage.open_demo("teach")
    page.look.area.click()
    stage.wait(lambda: bool(page.look.findChildren(QDialog)))
    canvas = page.look.findChildren(QDialog)[0].canvas
    stage.wait(lambda: canvas.picture is not None)
    canvas.use(Area((((0.12, 0.12), (0.88, 0.12), (0.88, 0.88), (0.12, 0.88)),)))
    canvas.ignoring = True
    canvas.add_rectangle()


def after_teach_area(stage: Stage) -> None:
    stage.window.page.look.findChildren(QDialog)[0].reject()


def scene_teach_running(stage: Stage) -> None:
    page = stage.open_demo("teach")
    page.panel.choice.method.setCurrentIndex(page.panel.choice.method.findData("anople"))
    page.teach()
    stage.wait(lambda: len(page.panel.progress.curve.points) >= 8, 400)


def after_teach_running(stage: Stage) -> None:
    stage.window.context.runner.cancel()
    stage.wait(lambda: not stage.window.context.runner.busy)


def scene_teach_describe(stage: Stage) -> None:
    page = stage.open_demo("teach")
    method = page.panel.choice.method
    method.setCurrentIndex(method.findData("finegrained"))
    page.describe(True)
    stage.settle()
    page.form.fields["background"].setText("grey conveyor belt")
    page.form.rows[0].fields["colour"].setText("silver")
    page.form.rows[1].fields["noun"].clear()
    page.form.add_part()
    hole = page.form.rows[-1].fields
    for name, text in {"noun": "hole", "number": "one", "location": "center", "shape": "round"}.items():
        hole[name].setText(text)


def after_teach_describe(stage: Stage) -> None:
    page = stage.window.page
    page.form.rows[1].fields["noun"].setText("edge")
    page.form.keep()
    stage.settle()
    page.form.reset()
    page.panel.choice.method.setCurrentIndex(page.panel.choice.method.findData("anople"))


def scene_teach_proposed(stage: Stage) -> None:
    page = stage.open_demo("teach")
    page.accept_paths(sorted((stage.parts / page.chosen_class.name / "test" / "good").iterdir())[:2])
    stage.wait(page.proposal.isVisible, 400)
    stage.wait(lambda: not stage.window.context.runner.busy, 400)


def after_teach_proposed(stage: Stage) -> None:
    stage.window.context.undo.undo()  # the shots
    stage.settle()
    stage.window.page.proposal.discard_button.click()
    stage.wait(lambda: not stage.window.page.proposal.isVisible())


def scene_teach_error(stage: Stage) -> None:
    page = stage.open_demo("teach")
    broken = stage.work / "scan 12.png"
    broken.write_bytes(b"not a picture at all")
    page.accept_paths([broken])
    stage.wait(stage.window.banner.isVisible)


def scene_weights(stage: Stage) -> None:
    stage.window.show_page("weights")


def scene_weights_asked(stage: Stage) -> None:
    stage.window.show_page("weights")
    stage.settle()
    stage.window.page.rows["MobileCLIP2-S0"].download.click()


def scene_preferences(stage: Stage) -> None:
    stage.window.show_page("preferences")


def scene_drop(stage: Stage) -> None:
    stage.open_demo("teach")
    stage.window.drop_sign.say(stage.window.page.drop_text)


def after_drop(stage: Stage) -> None:
    stage.window.drop_sign.hide()


def scene_keys(stage: Stage) -> None:
    stage.window.menus.show_keys()


def after_keys(stage: Stage) -> None:
    stage.application.activeModalWidget().reject()


def scene_about(stage: Stage) -> None:
    stage.window.menus.show_about()


after_about = after_keys
