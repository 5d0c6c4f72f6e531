"""The real window in one theme and size, and what a scene needs to drive it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Stage:
    """A window in one theme and size, and what a scene needs to drive it."""

    def __init__(self, theme: str, size: tuple[int, int], work: Path, demo: Path, parts: Path) -> None:
        from inspector.settings import Settings
        from inspector.views import app

        self.application = app.application()
        self.work, self.demo, self.parts = work, demo, parts
        self.shown: Any = None  # another window than the main one, while a scene shows it
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
        from PySide6.QtWidgets import QDialog

        picture = shown.grab()
        beside = [one for one in self.window.findChildren(QDialog) if one.isVisible()]
        popup = self.application.activePopupWidget() or self.application.activeModalWidget()
        popup = popup or next(iter(beside), None)
        if popup is not None and popup is not shown:
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
