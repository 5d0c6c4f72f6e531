"""Files, folders and pictures of the clipboard become shots of a class, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QFileDialog, QWidget

from inspector.errors import InspectorError
from inspector.views.shared.context import WindowContext
from inspector.views.teach.class_list import shots_text

if TYPE_CHECKING:
    from inspector.records.project import Project
    from inspector.records.shots import AddedShot
    from inspector.views.teach.page import TeachPage

Source = Path | tuple[str, bytes]


class Adding:
    """Stores found images one after another, so that the first is seen at once; then one undo step and one line."""

    def __init__(
        self, page: TeachPage, context: WindowContext, class_id: int, found: Sequence[Source]
    ) -> None:
        self._page, self._context, self._class_id = page, context, class_id
        self._left = list(found)
        self._total = len(found)
        self._done: list[AddedShot] = []
        self._project = context.project

    def next(self) -> None:
        from inspector.records.shots import add_shots

        project = self._project
        if project is None or project is not self._context.project:
            return
        if not self._left:
            self._finish(project)
            return
        source = self._left.pop(0)
        if self._total > 3:
            self._page.header.count.setText(f"adding {len(self._done) + 1} of {self._total}…")
        self._context.runner.write(
            self._page,
            lambda: add_shots(project, self._class_id, [source]),
            self._added,
            self._failed,
        )

    def _added(self, results: list[AddedShot]) -> None:
        self._done += results
        if results and results[0].status == "added":
            self._context.classes_changed.emit()
        self.next()

    def _failed(self, error: BaseException) -> None:
        """The project itself can't be written; more files would fail alike."""
        self._left = []
        self._context.show_error(error)
        self.next()

    def _finish(self, project: Project) -> None:
        from inspector.records.shots import remove_shots, restore_shots

        added = [one.shot_id for one in self._done if one.status == "added" and one.shot_id is not None]
        undo = None
        if added:
            what = f"{len(added)} shot{'s' if len(added) != 1 else ''}"
            self._page.steps.done(
                f"add {what}",
                lambda project: restore_shots(project, added),
                lambda project: remove_shots(project, added),
            )
            undo = self._context.undo.undo
        failed = [one for one in self._done if one.status == "failed"]
        if failed:
            more = f" {len(failed) - 1} more could not be read either." if len(failed) > 1 else ""
            self._context.show_error(InspectorError(f"{failed[0].message}{more}", failed[0].hint))
        line = summary(self._done)
        if line:
            self._context.toast(line, undo)
        self._context.classes_changed.emit()


def summary(done: Sequence[AddedShot]) -> str:
    """What became of the files, in one line."""
    counts = {
        status: [one for one in done if one.status == status] for status in ("added", "duplicate", "failed")
    }
    parts = []
    if counts["added"]:
        parts.append(f"Added {shots_text(len(counts['added']))}")
    if counts["duplicate"]:
        known = counts["duplicate"]
        parts.append(
            f"“{known[0].name}” was there already" if len(known) == 1 else f"{len(known)} were there already"
        )
    if not done:
        return "No images found there."
    if not parts:
        return ""  # the banner says what could not be read
    if counts["failed"]:
        parts.append(f"{len(counts['failed'])} could not be read")
    return "; ".join(parts) + "."


def ask_files(parent: QWidget) -> list[Path]:
    """Let files be chosen; empty when nobody chose any."""
    from inspector.images.read import SUFFIXES

    patterns = " ".join(f"*{suffix}" for suffix in SUFFIXES)
    names, _ = QFileDialog.getOpenFileNames(
        parent, "Add good shots", "", f"Images ({patterns});;All files (*)"
    )
    return [Path(name) for name in names]


def from_clipboard() -> tuple[list[Path], QImage]:
    """The files that were copied, or else the picture (null where there is none)."""
    clipboard = QGuiApplication.clipboard()
    held = clipboard.mimeData()
    files = [Path(url.toLocalFile()) for url in held.urls() if url.isLocalFile()]
    return files, clipboard.image() if held.hasImage() and not files else QImage()


def find(sources: list[Source]) -> list[Source]:
    """Files and folders become the images they hold; pairs of name and bytes stay."""
    from inspector.images import read

    files = [source for source in sources if isinstance(source, Path)]
    return [*read.find(files), *(source for source in sources if not isinstance(source, Path))]


def png(picture: QImage) -> bytes:
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    picture.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(data.data())
