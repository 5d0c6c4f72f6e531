"""A pyqtgraph plot in the window's colours and fonts: to look at, with nothing of its own to click or drag."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QResizeEvent
from PySide6.QtWidgets import QWidget

from inspector.views.look import theme

pg.setConfigOptions(antialias=True, imageAxisOrder="row-major")

_OTHER_LOOKS = (QEvent.Type.PaletteChange, QEvent.Type.FontChange, QEvent.Type.DevicePixelRatioChange)


class Chart(QWidget):
    """Base of every chart. Mouse and keys reach the chart itself, never the plot inside: pyqtgraph's scene drops mouse
    moves above a rate, and knows neither pan nor zoom that would help here.

    A subclass makes its items once, gives them looks in `restyle` and sizes that are meant in px in `fit`.
    """

    def __init__(
        self,
        margins: tuple[int, int, int, int],
        axes: tuple[str, ...] = (),
        bleed: int = 0,
        parent: QWidget | None = None,
    ) -> None:
        """`margins`: px left, top, right and bottom of the area that values span. `axes`: "left", "bottom", within the
        margins. `bleed`: px beyond the area where a thick line at its edge is still drawn."""
        super().__init__(parent)
        self._margins, self._bleed = margins, bleed
        self._range = 0.0, 1.0, 0.0, 1.0
        self.axes: dict[str, Any] = {}
        self.plot: Any = pg.GraphicsView(self, background=None)
        self.plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.plot.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.plot.viewport().setAutoFillBackground(False)
        self.plot.setCacheMode(
            pg.GraphicsView.CacheModeFlag.CacheNone
        )  # else it keeps the last theme's ground
        # Not a PlotItem: it makes a menu of 20 widgets and two hidden axes for every chart.
        self.box: Any = pg.ViewBox(enableMouse=False, enableMenu=False)
        self.box.disableAutoRange()
        grid = pg.GraphicsLayout()
        grid.setSpacing(0)
        grid.addItem(self.box, 0, 1)
        left, top, right, bottom = (margin - bleed for margin in margins)
        for side in axes:
            axis = self.axes[side] = pg.AxisItem(side, linkView=self.box, maxTickLength=0)
            axis.enableAutoSIPrefix(False)
            axis.setStyle(hideOverlappingLabels=False, autoExpandTextSpace=False)
            if side == "left":
                axis.setWidth(left)
                grid.addItem(axis, 0, 0)
                left = 0
            else:
                axis.setHeight(bottom)
                grid.addItem(axis, 1, 1)
                bottom = 0
        grid.setContentsMargins(left, top, right, bottom)
        self.plot.setCentralItem(grid)

    def area(self) -> QRectF:
        """Where the chart draws, px of this widget."""
        left, top, right, bottom = self._margins
        return QRectF(left, top, max(self.width() - left - right, 1), max(self.height() - top - bottom, 1))

    def show_range(self, left: float, right: float, bottom: float, top: float) -> None:
        """Values at the edges of the area."""
        self._range = left, right, bottom, top
        area = self.area()
        across = (right - left) / area.width() * self._bleed
        up = (top - bottom) / area.height() * self._bleed
        self.box.setRange(xRange=(left - across, right + across), yRange=(bottom - up, top + up), padding=0)

    def put(self, item: Any, z: float = 0) -> Any:
        """Add an item to the plot; those with a higher `z` lie above."""
        item.setZValue(z)
        self.box.addItem(item, ignoreBounds=True)
        return item

    def name_axis(self, side: str, words: str) -> None:
        font = theme.font("small")
        style = {"color": theme.colour("quiet").name(), "font-size": f"{font.pointSizeF():.1f}pt"}
        self.axes[side].setLabel(words, **style)

    def pen(self, colour: str, width: float = 1, **how: Any) -> Any:
        """A pen `width` px wide, whatever the values' scale. `colour`: a token of the theme, or "#rrggbb"."""
        ink = QColor(colour) if colour.startswith("#") else theme.colour(colour)
        # Pens that ignore the values' scale ignore the screen's too.
        return pg.mkPen(ink, width=width * self.devicePixelRatioF(), **how)

    def restyle(self) -> None:
        """Give every item the colours and fonts of the theme in use; called first by the subclass, then on a change."""
        for side, axis in self.axes.items():
            axis.setPen(pg.mkPen(None))
            axis.setTickPen(pg.mkPen(None))
            if axis.labelText:
                self.name_axis(side, axis.labelText)
            axis.setTextPen(self.pen("quiet"))
            axis.setTickFont(theme.font("small", figures=True))

    def fit(self) -> None:
        """The widget has another size."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.plot.setGeometry(self.rect())
        self.show_range(*self._range)
        self.fit()

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() in _OTHER_LOOKS and hasattr(self, "box"):
            self.restyle()
        return done


def text(anchor: tuple[float, float], margin: float = 0) -> Any:
    """Words whose part `anchor` (0-1 from the left, from the top) stands at their place, `margin` px around them."""
    made = pg.TextItem(anchor=anchor)
    made.textItem.document().setDocumentMargin(margin)
    return made


def dress(item: Any, colour: str, font: QFont) -> None:
    """Give words of `text` a colour of the theme and a font."""
    item.setColor(theme.colour(colour))
    item.setFont(font)
