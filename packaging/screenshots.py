"""Take pictures of every page and state from the real window: `python packaging/screenshots.py DIR [--only NAME …]`.

Builds one demo project with the real engine, then drives the window at 1280×800, 1920×1080 and 1024×700 in both themes. Needs no
display. A scene is a function of `Stage` named `scene_…`; add yours here.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

SIZES = ((1280, 800), (1920, 1080), (1024, 700))
THEMES = ("dark", "light")
README = ("inspect-dark", "inspect-light", "teach-light", "results-dark", "start-light")
"""Scene and theme of the pictures in the README, taken at 1280×800."""


class Stage:
    """A window in one theme and size, and what a scene needs to drive it."""

    def __init__(self, theme: str, size: tuple[int, int], work: Path, demo: Path, parts: Path) -> None:
        from inspector.settings import Settings
        from inspector.views import app

        self.application = app.application()
        self.work, self.demo, self.parts = work, demo, parts
        self.window = app.build(
            Settings(theme=theme, recent_projects=(str(demo), str(work / "Gearbox line 3")))
        )
        self.window.resize(*size)
        self.window.show()
        self.settle()

    def wait(self, condition: Callable[[], Any], seconds: float = 120) -> None:
        from PySide6.QtCore import QEventLoop

        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError("a scene waited in vain")
            self.application.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
            time.sleep(0.005)  # leaves the engine its cores

    def settle(self, seconds: float = 0.6) -> None:
        begun = time.monotonic()
        reading = self.window.context.runner
        self.wait(lambda: time.monotonic() - begun > seconds and not reading.reading)

    def open_demo(self, page: str) -> Any:
        project = self.window.context.project
        if project is None or project.folder != self.demo:
            self.window.open_project(self.demo, page)
            self.wait(
                lambda: self.window.context.project is not None and self.window.context.project is not project
            )
        self.window.show_page(page)
        self.settle(1.0)
        return self.window.page

    def new_project(self) -> Any:
        folder = self.work / f"new-{time.monotonic_ns()}" / "Gearbox line 3"
        before = self.window.context.project
        self.window.projects.create(folder, "Gearbox line 3")
        self.wait(lambda: self.window.context.project is not before)
        self.settle()
        return self.window.page

    def photograph(self, shown: Any, file: Path, small: str) -> None:
        """One window, with the popup that is open over it. `small`: "png" for 256 colours, a fourth of the size, or
        "webp"."""
        import PIL.Image
        from PySide6.QtGui import QImage, QPainter

        picture = shown.grab()
        popup = self.application.activePopupWidget() or self.application.activeModalWidget()
        if popup is not None:
            painter = QPainter(picture)
            painter.drawPixmap(popup.pos() - shown.pos(), popup.grab())
            painter.end()
        if not small:
            picture.save(str(file))
            return
        image = picture.toImage().convertToFormat(QImage.Format.Format_RGB888)
        size, stride = (image.width(), image.height()), image.bytesPerLine()
        whole = PIL.Image.frombuffer("RGB", size, bytes(image.constBits()), "raw", "RGB", stride, 1)
        if small == "webp":
            whole.save(file, quality=80, method=6)
            return
        few = whole.quantize(256, PIL.Image.Quantize.MAXCOVERAGE, kmeans=2, dither=PIL.Image.Dither.NONE)
        few.save(file, optimize=True)

    def calm(self) -> None:
        """No toast or banner of the scene before."""
        self.window.toast.hide()
        self.window.banner.hide()


def scene_start(stage: Stage) -> None:
    stage.window.show_page("start")


def scene_start_new(stage: Stage) -> None:
    stage.window.show_page("start")
    stage.window.start.show_new()
    stage.window.start.form.folder.setText("/home/ada/Documents/Gearbox line 3")
    stage.window.start.form.name.setText("Gearbox line 3")


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
        page.add_class(product.name, lambda class_id, shots=shots: page._add(class_id, shots))
        stage.settle(2)
    page.grid.setCurrentIndex(page.shots.index(0))


def scene_teach(stage: Stage) -> None:
    stage.open_demo("teach")


def scene_teach_running(stage: Stage) -> None:
    page = stage.open_demo("teach")
    page.panel.method.setCurrentIndex(page.panel.method.findData("anople"))
    page.teach()
    stage.wait(lambda: len(page.panel.progress.curve.points) >= 8, 400)


def after_teach_running(stage: Stage) -> None:
    stage.window.context.runner.cancel()
    stage.wait(lambda: not stage.window.context.runner.busy)


def scene_teach_describe(stage: Stage) -> None:
    page = stage.open_demo("teach")
    method = page.panel.method
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
    page.panel.method.setCurrentIndex(page.panel.method.findData("anople"))


def scene_teach_updated(stage: Stage) -> None:
    page = stage.open_demo("teach")
    row = page.chosen_class
    before = page._detector.id
    page.accept_paths(sorted((stage.parts / row.name / "test" / "good").iterdir())[:2])
    stage.wait(lambda: page._detector.id != before, 400)


def after_teach_updated(stage: Stage) -> None:
    from inspector.records.detectors import remove_detector

    page = stage.window.page
    remove_detector(stage.window.context.project, page._detector.id)
    page.context.undo.undo()
    stage.settle()


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


def scene_inspect_empty(stage: Stage) -> None:
    stage.new_project()
    stage.window.show_page("inspect")


def scene_results_empty(stage: Stage) -> None:
    stage.new_project()
    stage.window.show_page("results")


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


def scene_inspect_contour(stage: Stage) -> None:
    page = _inspect(stage, "cloth_scratch")
    page.viewer.set_mode(1)


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
    stage.wait(lambda: page.live.question is not None)


def after_inspect_question(stage: Stage) -> None:
    stage.window.page.live.question.reject()
    stage.settle()


def scene_inspect_refused(stage: Stage) -> None:
    page = _inspect(stage, "blister_dent")
    page.panel.scores.review_box.setText("0.9")
    page.panel.scores.review_box.editingFinished.emit()


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


def scene_results(stage: Stage) -> None:
    page = stage.open_demo("results")
    stage.wait(lambda: page.model.rowCount() > 0)


def scene_results_export(stage: Stage) -> None:
    page = stage.open_demo("results")
    page.export()
    page.exporter.folder.setText("/home/ada/Documents/Line 3/exports")


def after_results_export(stage: Stage) -> None:
    stage.window.page.export_button.setChecked(False)


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


SCENES: dict[str, Callable[[Stage], None]] = {
    name.removeprefix("scene_"): value for name, value in list(globals().items()) if name.startswith("scene_")
}


def build_demo(folder: Path) -> None:
    from inspector.domain import CancelToken, JobEnded, JobEvent, JobStatus
    from inspector.jobs.demo import make_demo_project
    from inspector.jobs.engine import Engine

    ended: list[JobEnded] = []

    def emit(event: JobEvent) -> None:
        if isinstance(event, JobEnded):
            ended.append(event)

    make_demo_project(folder, Engine(), emit=emit, cancel=CancelToken())
    if ended[-1].status is not JobStatus.DONE:
        raise SystemExit(f"The demo could not be built: {ended[-1].message}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("--only", nargs="*", default=[], help="scenes to take")
    parser.add_argument("--theme", choices=THEMES, help="one theme only")
    parser.add_argument("--size", choices=[f"{w}x{h}" for w, h in SIZES], help="one size only")
    parser.add_argument("--readme", action="store_true", help="only the pictures of the README")
    parser.add_argument(
        "--gallery", action="store_true", help="every scene, dark, 1280×800, as small WebP with an index"
    )
    parser.add_argument("--demo", type=Path, help="keep or reuse the demo project in this folder")
    chosen = parser.parse_args()
    chosen.target.mkdir(parents=True, exist_ok=True)
    if chosen.gallery:
        chosen.theme, chosen.size = "dark", "1280x800"
    with tempfile.TemporaryDirectory() as home:
        os.environ["INSPECTOR_HOME"] = str(Path(home, "inspector"))
        os.environ["HOME"] = home  # so that pictures show "~" and not this computer's folders
        work = Path(home, "Documents")
        work.mkdir()
        kept = (chosen.demo or work / "Demo").absolute()
        if not (kept / "project.sqlite").exists():
            build_demo(kept)
        demo = work / "Demo"
        if kept != demo:
            shutil.copytree(kept, demo)
        from inspector.images import demo_parts

        parts = work / "parts"
        demo_parts.write_demo(parts)
        shutil.copytree(demo, work / "Gearbox line 3")
        sizes = [size for size in SIZES if chosen.size in (None, f"{size[0]}x{size[1]}")]
        for theme in [chosen.theme] if chosen.theme else THEMES:
            only = chosen.only
            if chosen.readme:
                only = [name.removesuffix(f"-{theme}") for name in README if name.endswith(theme)]
            for size in SIZES[:1] if chosen.readme else sizes:
                stage = Stage(theme, size, work, demo, parts)
                try:
                    small = "png" if chosen.readme else "webp" if chosen.gallery else ""
                    take(chosen.target, only, stage, theme, size, small)
                finally:
                    stage.window.shut_down()
        shutil.rmtree(work, ignore_errors=True)
    if chosen.gallery:
        index = "".join(f"\n## {_spoken(name)}\n\n![{_spoken(name)}]({name}.webp)\n" for name in SCENES)
        text = "# Every page and state\n\nTaken from the real window by `python packaging/screenshots.py --gallery DIR`.\n"
        (chosen.target / "README.md").write_text(text + index, encoding="utf-8")


def _spoken(scene: str) -> str:
    """ "teach_no_shots" → "Teach: no shots"."""
    page, _, state = scene.partition("_")
    return f"{page.capitalize()}: {state.replace('_', ' ')}" if state else page.capitalize()


def take(target: Path, only: list[str], stage: Stage, theme: str, size: tuple[int, int], small: str) -> None:
    for name, scene in SCENES.items():
        if only and name not in only:
            continue
        stage.calm()
        scene(stage)
        stage.settle()
        alone = None if name.startswith("inspect") else stage.application.activeModalWidget()
        shown = alone or stage.window
        plain = f"{name}-{theme}-{size[0]}x{size[1]}.png"
        file = target / (f"{name}.webp" if small == "webp" else plain)
        stage.photograph(shown, file, small)
        print(file, flush=True)
        after = globals().get(f"after_{name}")
        if after is not None:
            after(stage)
    stage.window.close()
    stage.wait(lambda: not stage.window.isVisible())


if __name__ == "__main__":
    sys.exit(main())
