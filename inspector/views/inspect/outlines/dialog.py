"""Where the defects of an image lie, drawn by hand over what the map says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QSlider,
    QToolButton,
    QWidget,
)

from inspector.records.outlines import fits
from inspector.views.inspect.outlines.canvas import OutlineCanvas, Tool
from inspector.views.look import theme
from inspector.views.look.elided import Elided
from inspector.views.look.kit import around, choice, switch, tool

if TYPE_CHECKING:
    from inspector.images.area import Polygon
    from inspector.views.review.result_loader import Shown

_TOOLS = {
    Tool.BRUSH: ("&Brush", "Drag to paint what is defective"),
    Tool.ERASER: ("&Eraser", "Drag to take away what is not"),
    Tool.POLYGON: ("&Polygon", "Click corner after corner; the first one, or Enter, closes it"),
    Tool.GROW: ("&Grow", "Click a hot spot: all of the map that hangs together with it"),
}


class OutlineDialog(QDialog):
    """`chosen` carries rings, or None for what the map says; closing it otherwise changes nothing."""

    chosen = Signal(object)

    def __init__(self, shown: Shown, rings: tuple[Polygon, ...], by_hand: bool, parent: QWidget) -> None:
        """`rings`: to begin with; `by_hand`: somebody drew them."""
        super().__init__(parent.window())
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"Where the defects lie on “{shown.detail.row.name}”")
        self.resize(parent.window().size() * 0.85)
        self.canvas = OutlineCanvas()
        self.canvas.set_overlay(False)
        self.canvas.show_picture(shown.pixels.picture, shown.pixels.values)
        group = QButtonGroup(self)
        tools = QHBoxLayout()
        self.tools: dict[Tool, QToolButton] = {}
        for kind, (words, tip) in _TOOLS.items():
            button = choice(group, words, tip, kind is Tool.BRUSH)
            button.toggled.connect(lambda on, kind=kind: self._choose(kind) if on else None)
            tools.addWidget(button)
            self.tools[kind] = button
        switch(self.tools[Tool.GROW], "" if self.canvas.values is not None else "There is no anomaly map.")
        tools.addSpacing(12)
        self.words = QLabel()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(1, 100)
        self.slider.setFixedWidth(160)
        self.slider.valueChanged.connect(self._slid)
        self.heat = tool("heat", "Heat on or off", checkable=True)
        self.heat.toggled.connect(self.canvas.set_overlay)
        self.undo = tool("undo", "Undo (Ctrl+Z)")
        self.undo.clicked.connect(self.canvas.undo)
        self.clear = tool("trash", "Clear: nothing is defective")
        self.clear.clicked.connect(self.canvas.clear)
        tools.addWidget(self.words)
        tools.addWidget(self.slider)
        tools.addStretch(1)
        for button in (self.heat, self.undo, self.clear):
            tools.addWidget(button)
        self.said = Elided()
        theme.set_role(self.said, "quiet")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.use = buttons.addButton("Use", QDialogButtonBox.ButtonRole.AcceptRole)
        self.map = buttons.addButton("As the map says", QDialogButtonBox.ButtonRole.ResetRole)
        switch(self.map, "" if by_hand else "Nobody has drawn anything yet.")
        for one in buttons.buttons():
            one.setProperty("autoDefault", False)
        self.use.clicked.connect(self._use)
        self.map.clicked.connect(self._back)
        buttons.rejected.connect(self.reject)
        around(self.canvas, self, tools, self.said, buttons)
        QShortcut(QKeySequence.StandardKey.Undo, self, self.canvas.undo)
        self.canvas.changed.connect(self._told)
        self.canvas.start(rings)
        self._choose(Tool.BRUSH)
        self.canvas.setFocus()

    def _choose(self, kind: Tool) -> None:
        self.canvas.tool = kind
        grows = kind is Tool.GROW
        self.words.setText("Down to" if grows else "Size")
        for widget in (self.words, self.slider):
            widget.setVisible(kind is not Tool.POLYGON)
        self.slider.setAccessibleName("How far it grows" if grows else "Size of the brush")
        self.slider.blockSignals(True)
        self.slider.setValue(round(self.canvas.reach * 100) if grows else round(self.canvas.brush * 400))
        self.slider.blockSignals(False)
        self._told()

    def _slid(self, value: int) -> None:
        if self.canvas.tool is Tool.GROW:
            self.canvas.reach = value / 100
        else:
            self.canvas.brush = value / 400
        self._told()
        self.canvas.update()

    def _told(self) -> None:
        switch(self.undo, "" if self.canvas.can_undo else "There is nothing to undo.")
        said = {
            Tool.BRUSH: "Drag over what is defective. The middle button moves the image, the wheel zooms.",
            Tool.ERASER: "Drag over what is not defective.",
            Tool.POLYGON: "Click corner after corner; the first one, a double click or Enter closes it, Backspace takes one back.",
            Tool.GROW: f"Click a hot spot: it grows down to {self.canvas.reach:.0%} of the heat there.",
        }[self.canvas.tool]
        nothing = self.canvas.empty and self.canvas.tool is not Tool.POLYGON
        self.said.setText("Nothing is marked as defective." if nothing else said)

    def _use(self) -> None:
        self.canvas.close_polygon()
        rings = self.canvas.rings
        if not self.canvas.can_undo:  # nothing was drawn
            self.reject()
        elif not fits(rings):
            self.said.setText(
                "That is more parts and corners than are kept: erase some, or take a larger brush."
            )
        else:
            self.chosen.emit(rings)
            self.accept()

    def _back(self) -> None:
        self.chosen.emit(None)
        self.accept()
