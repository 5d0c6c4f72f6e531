"""The image view with its head line and its tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSlider,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from inspector.exports.heat import COLOUR_MAPS, Heat, Mode
from inspector.views.look import theme
from inspector.views.look.elided import Elided
from inspector.views.look.kit import tool
from inspector.views.viewer.colour_bar import ColourBar
from inspector.views.viewer.image_view import Hover, ImageView
from inspector.views.viewer.nearest_shot import GoodSide
from inspector.views.viewer.picture import Picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from inspector.domain import Region
    from inspector.views.shared.context import WindowContext


class ViewerPanel(QWidget):
    """Image, name, zoom, value under the cursor; modes, opacity, colour map and scale."""

    def __init__(self, context: WindowContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.view = ImageView()
        self.name = Elided()
        self.detail = QLabel()
        self.under = QLabel()
        self.detail.setFont(theme.font(figures=True))
        self.under.setFont(theme.font(figures=True))
        for label in (self.detail, self.under):
            theme.set_role(label, "quiet")
        head = QHBoxLayout()
        head.setContentsMargins(12, 4, 12, 4)
        head.setSpacing(16)
        head.addWidget(self.name, 1)
        head.addWidget(self.under)
        head.addWidget(self.detail)

        self.modes = QButtonGroup(self)
        self.overlay = tool("overlay", "Heat on or off (Space)", checkable=True)
        self.boxes = tool("boxes", "Boxes around regions", checkable=True)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setMinimumWidth(28)
        self.opacity.setMaximumWidth(110)
        self.opacity.setToolTip("Opacity of the heat")
        self.opacity.setAccessibleName("Opacity")
        self.colours = QComboBox()
        self.colours.addItems([name.capitalize() for name in COLOUR_MAPS])
        self.colours.setToolTip("Colours of the heat")
        self.colours.setAccessibleName("Colour map")
        self.bar = ColourBar()
        self.why = tool(
            "why", "Why is it red? Click a spot to see the good part most like it (W)", checkable=True
        )
        self.compare = tool("images", "Nearest good shot beside it (C)", checkable=True)
        fit = tool("fit", "Whole image (0)")
        single = QToolButton()
        single.setText("1:1")
        single.setToolTip("One image pixel on one screen pixel")
        single.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        tools = QHBoxLayout()
        tools.setContentsMargins(8, 4, 8, 4)
        tools.setSpacing(3)
        for number, mode in enumerate(Mode):
            button = tool(mode.value, f"{mode.value.capitalize()} ({number + 1})", checkable=True)
            self.modes.addButton(button, number)
            tools.addWidget(button)
        tools.addSpacing(4)
        tools.addWidget(self.overlay)
        tools.addWidget(self.boxes)
        tools.addSpacing(4)
        tools.addWidget(self.opacity)
        tools.addSpacing(4)
        tools.addWidget(self.colours)
        tools.addWidget(self.bar, 4)
        tools.addStretch(1)
        tools.addWidget(self.why)
        tools.addWidget(self.compare)
        tools.addWidget(fit)
        tools.addWidget(single)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(head)
        self.good = GoodSide(self.view)
        self.sides = QSplitter(Qt.Orientation.Horizontal)
        self.sides.addWidget(self.view)
        self.sides.addWidget(self.good)
        self.sides.setChildrenCollapsible(False)
        self.good.hide()
        layout.addWidget(self.good.words)
        layout.addWidget(self.sides, 1)
        layout.addLayout(tools)

        self.overlay.setChecked(True)
        self.boxes.setChecked(True)
        self.modes.button(0).setChecked(True)
        self.overlay.toggled.connect(self.view.set_overlay)
        self.boxes.toggled.connect(self.view.set_boxes)
        self.modes.idClicked.connect(self.set_mode)
        fit.clicked.connect(self.view.fit)
        single.clicked.connect(self.view.one_to_one)
        self.opacity.valueChanged.connect(lambda value: self._change(opacity=value / 100))
        self.opacity.sliderReleased.connect(self._keep)
        self.colours.activated.connect(self._choose_colours)
        self.view.hovered.connect(self._hovered)
        self.view.view_changed.connect(self._describe)
        context.settings_changed.connect(self._settings_changed)
        self.show_heat(None)
        self._settings_changed()

    def show_picture(
        self,
        name: str,
        picture: Picture | None,
        values: NDArray[np.float32] | None = None,
        regions: Sequence[Region] = (),
        note: str = "",
    ) -> None:
        self.name.setText(name)
        self.under.clear()
        self.view.show_picture(picture, values, regions, note)
        self._describe()

    def show_message(self, name: str, text: str) -> None:
        """`text` in place of an image."""
        self.name.setText(name)
        self.under.clear()
        self.view.show_message(text)
        self.good.show_shot(None)
        self._describe()

    def show_heat(self, heat: Heat | None) -> None:
        """The detector's scale and the threshold in force. Mode, colours and opacity stay as they are chosen here."""
        if heat is not None:
            chosen = self.view.heat
            heat = replace(heat, mode=chosen.mode, colour_map=chosen.colour_map, opacity=chosen.opacity)
            self.view.set_heat(heat)
        self.bar.show_heat(heat)

    def show_good(self, on: bool) -> None:
        """The good shot beside the image, each with half the room."""
        if on and self.good.isHidden():
            self.sides.setSizes([self.sides.width() // 2] * 2)
        self.good.setVisible(on)
        if not on:
            self.good.words.hide()
            self.view.set_cover(None)

    def blink(self) -> None:
        """The good shot in place of the image, or the image again."""
        self.view.set_cover(None if self.view.cover or self.good.isHidden() else self.good.cover())

    def set_mode(self, number: int) -> None:
        """0 heat, 1 contour, 2 mask; turns the overlay on."""
        self.modes.button(number).setChecked(True)
        self.overlay.setChecked(True)
        self._change(mode=tuple(Mode)[number])

    def toggle_overlay(self) -> None:
        self.overlay.toggle()

    def _change(self, **how: object) -> None:
        heat = replace(self.view.heat, **how)  # type: ignore[arg-type]
        self.view.set_heat(heat)
        if self.bar.heat is not None:
            self.bar.show_heat(heat)

    def _settings_changed(self) -> None:
        settings = self._context.settings
        name = settings.colour_map if settings.colour_map in COLOUR_MAPS else COLOUR_MAPS[0]
        self.colours.setCurrentIndex(COLOUR_MAPS.index(name))
        self.opacity.setValue(round(settings.overlay_opacity * 100))
        self._change(colour_map=name, opacity=settings.overlay_opacity)

    def _choose_colours(self, number: int) -> None:
        self._context.settings.colour_map = COLOUR_MAPS[number]
        self._context.save_settings()

    def _keep(self) -> None:
        self._context.settings.overlay_opacity = self.opacity.value() / 100
        self._context.save_settings()

    def _hovered(self, hover: Hover | None) -> None:
        self.bar.show_value(hover.value if hover else None)
        if hover is None:
            self.under.clear()
        else:
            value = "" if hover.value is None else f"   {hover.value:.3f}"
            self.under.setText(f"x {hover.x}  y {hover.y}{value}")

    def _describe(self) -> None:
        picture = self.view.picture
        if picture is None:
            self.detail.clear()
        else:
            self.detail.setText(f"{picture.width} × {picture.height}   {self.view.scale:.0%}")
