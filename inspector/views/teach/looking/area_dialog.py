"""Where to look: regions to inspect and places to ignore, drawn on the shots of a class."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QToolButton,
    QWidget,
)

from inspector import paths
from inspector.errors import ImageError
from inspector.images import area as areas
from inspector.images.area import Area
from inspector.views.look import theme
from inspector.views.look.elided import Elided
from inspector.views.look.kit import around, choice, switch, tool
from inspector.views.look.labels import plain
from inspector.views.teach.looking.area_canvas import AreaCanvas
from inspector.views.viewer import picture as pictures

if TYPE_CHECKING:
    from inspector.records.classes import ClassRow
    from inspector.records.project import Project
    from inspector.records.shots import ShotRow
    from inspector.views.shared.context import WindowContext

_UNFINISHED = "Close the polygon: double-click, or click its first corner; Esc gives it up."
_EVERYTHING = "Everything is inspected. Drag over the picture to draw a region."


class AreaDialog(QDialog):
    """`chosen` carries an `Area`, or None for the whole picture; closing it otherwise changes nothing."""

    chosen = Signal(object)

    def __init__(
        self,
        context: WindowContext,
        row: ClassRow,
        shots: Sequence[ShotRow],
        classes: Sequence[ClassRow],
        parent: QWidget,
    ) -> None:
        """`shots`: those whose files are there; `classes`: all of the project, whose regions can be copied."""
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"Where to look on “{row.name}”")
        self.resize(parent.window().size() * 0.85)
        self._context, self._row, self._shots, self._at = context, row, list(shots), 0
        self._names = [one.name for one in classes]
        context.project_changed.connect(self.reject)
        self.canvas = AreaCanvas()
        self.canvas.set_overlay(False)
        self.canvas.changed.connect(self._told)

        self.kind, self.way = QButtonGroup(self), QButtonGroup(self)
        self.inspect = choice(self.kind, "&Inspect", "What you draw is inspected, and nothing else", True)
        self.ignore = choice(self.kind, "I&gnore", "What you draw is ignored, whatever it looks like")
        self.rectangle = choice(self.way, "&Rectangle", "Drag from corner to corner", True)
        self.polygon = choice(
            self.way,
            "&Polygon",
            "Click corner by corner; double-click, or click the first corner, to close it",
        )
        self.ignore.toggled.connect(self._tool_chosen)
        self.polygon.toggled.connect(self._tool_chosen)
        self.around = QToolButton()
        self.around.setText("&Around the part")
        self.around.setToolTip("Find the part on all shots by its even background, and inspect it alone")
        self.around.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.around.clicked.connect(self._find_part)
        self.add = tool("add", "Add a rectangle in the middle; arrow keys move it, with Shift they size it")
        self.add.clicked.connect(self._add)
        self.undo = tool("undo", "Undo (Ctrl+Z)")
        self.undo.clicked.connect(self.canvas.undo)
        self.remove = tool("trash", "Remove what is chosen (Del)")
        self.remove.clicked.connect(self.canvas.remove_chosen)
        self.more = tool("more", "Clear, copy from another class, export, import")
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.more.setMenu(self._menu([one for one in classes if one.id != row.id and one.area]))
        self.before, self.after = tool("left", "The shot before"), tool("right", "The next shot")
        self.before.clicked.connect(lambda: self._step(-1))
        self.after.clicked.connect(lambda: self._step(1))
        self.shot = QLabel()
        theme.set_role(self.shot, "quiet")
        tools = QHBoxLayout()
        for button in (self.inspect, self.ignore):
            tools.addWidget(button)
        tools.addSpacing(12)
        for button in (self.rectangle, self.polygon):
            tools.addWidget(button)
        tools.addSpacing(12)
        for button in (self.around, self.add, self.remove, self.undo, self.more):
            tools.addWidget(button)
        tools.addStretch(1)
        for widget in (self.shot, self.before, self.after):
            tools.addWidget(widget)

        self.said = Elided()
        theme.set_role(self.said, "quiet")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.take: QPushButton = buttons.addButton("Use", QDialogButtonBox.ButtonRole.AcceptRole)
        self.take.setDefault(False)
        self.take.setAutoDefault(False)
        buttons.accepted.connect(self._use)
        buttons.rejected.connect(self.reject)
        around(self.canvas, self, tools, self.said, buttons)
        QShortcut(QKeySequence.StandardKey.Undo, self, self.canvas.undo)
        self.canvas.show_area(row.area)
        self._show_shot()
        self.canvas.setFocus()

    def _menu(self, others: Sequence[ClassRow]) -> QMenu:
        menu = QMenu(self)
        self.clear = menu.addAction("Clear: inspect everything", lambda: self.canvas.use(None))
        copied = menu.addMenu("Copy from")
        for other in others:
            copied.addAction(plain(other.name), partial(self.canvas.use, other.area))
        copied.setEnabled(bool(others))
        menu.addSeparator()
        self.export_file = menu.addAction("Export…", self._export)
        self.import_file = menu.addAction("Import…", self._import)
        return menu

    # the shot under it

    def _step(self, by: int) -> None:
        self._at = (self._at + by) % len(self._shots)
        self._show_shot()

    def _show_shot(self) -> None:
        shot, white = self._shots[self._at], self._row.white
        self.shot.setText(f"Shot {self._at + 1} of {len(self._shots)}")
        for button in (self.before, self.after):
            button.setEnabled(len(self._shots) > 1)

        def read(_project: Project) -> pictures.Picture:
            from inspector.images.read import read

            return pictures.picture(read(shot.path, white=white).pixels, shot.name)

        self._context.query(
            self,
            read,
            self.canvas.show_picture,
            failed=lambda error: self.canvas.show_message(str(error)),
            latest="shot to draw on",
        )

    # what is drawn

    def _tool_chosen(self) -> None:
        self.canvas.ignoring = self.ignore.isChecked()
        self.canvas.by_corners = self.polygon.isChecked()
        self.canvas.give_up()
        self.canvas.setFocus()

    def _add(self) -> None:
        self.canvas.add_rectangle()
        self.canvas.setFocus()

    def _find_part(self) -> None:
        files, white = [shot.path for shot in self._shots], self._row.white

        def read(_project: Project) -> Area:
            from inspector.images import part
            from inspector.images.read import read

            return part.area_of(read(path, part.GRID, white).pixels for path in files)

        def failed(error: BaseException) -> None:
            self.around.setEnabled(True)
            self.said.setText(f"⚠ {error}")

        def found(area: Area) -> None:
            self.around.setEnabled(True)
            self.canvas.use(area)

        self.around.setEnabled(False)
        self.said.setText("Looking for the part…")
        self._context.query(self, read, found, failed=failed)

    def _told(self) -> None:
        area = self.canvas.area
        switch(self.undo, "" if self.canvas.can_undo else "There is nothing to undo.")
        switch(self.remove, "" if self.canvas.chosen >= 0 else "Click a region to choose it.")
        self.export_file.setEnabled(area is not None)
        self.clear.setEnabled(area is not None)
        problem = _UNFINISHED if self.canvas.unfinished else _problem(area)
        switch(self.take, problem)
        if problem:
            self.said.setText(f"⚠ {problem}")
        elif area is None:
            self.said.setText(_EVERYTHING)
        else:
            self.said.setText(f"{_percent(area.share)} of the picture is inspected.")

    def _use(self) -> None:
        self.chosen.emit(self.canvas.area)
        self.accept()

    # files; small ones, read and written at once

    def _export(self) -> None:
        area = self.canvas.area
        name, _ = QFileDialog.getSaveFileName(
            self, "Export regions", f"{self._row.name}.json", "JSON (*.json)"
        )
        if name and area is not None:
            try:
                paths.write_atomic(Path(name), areas.as_file({self._row.name: area}))
            except OSError as error:
                reason = error.strerror or str(error)
                self._context.show_error(
                    ImageError(f"The regions can't be exported: {reason}.", "Choose another folder.")
                )

    def _import(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Import regions", "", "JSON (*.json);;All files (*)")
        if name:
            self.take_file(Path(name))

    def take_file(self, path: Path) -> None:
        """Draw what a file says of this class."""
        try:
            self.canvas.use(areas.load(path, self._names)[self._row.name])
        except ImageError as error:
            self._context.show_error(error)
        except KeyError:
            self._context.show_error(
                ImageError(f"“{path.name}” says nothing of this class.", "Choose another file.")
            )


def _problem(area: Area | None) -> str:
    try:
        if area is not None:
            area.check()
    except ImageError as error:
        return str(error)
    return ""


def _percent(share: float) -> str:
    return "Less than 1 %" if share < 0.01 else f"{share:.0%}".replace("%", " %")


def words(area: Area | None) -> str:
    """What a class's area is, for a button."""
    return "Where to look…" if area is None else f"Where to look: {_percent(area.share).lower()}…"
