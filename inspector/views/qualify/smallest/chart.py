"""What share of defects is found, over their size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QSizePolicy, QWidget

from inspector.views.look import theme
from inspector.views.look.plot import Chart

if TYPE_CHECKING:
    from inspector.records.qualification.smallest import Curve

_MARGINS = 52, 16, 20, 44
_SURE = 0.9


class DetectionChart(Chart):
    """Sizes on a logarithmic axis, with a mark for each that was tried. NG is solid, NG or review dashed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_MARGINS, ("left", "bottom"), bleed=4, parent=parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(260, 200)
        self.setAccessibleName("Share of defects that is found, over their size")
        self.curve: Curve | None = None
        self._grid = self.put(pg.PlotCurveItem(connect="pairs", antialias=False), -1)
        self._sure = self.put(pg.PlotCurveItem(antialias=False), 0)
        self._seen = self.put(pg.PlotCurveItem(), 1)
        self._ng = self.put(pg.PlotCurveItem(), 2)
        self._marks = self.put(pg.ScatterPlotItem(size=7), 3)
        self._legend: Any = pg.LegendItem(offset=(-8, -8))
        self._legend.setParentItem(self.box)
        self._legend.setZValue(4)
        self.restyle()
        self.show_curve(None, None)

    def sizeHint(self) -> QSize:
        return QSize(420, 300)

    def show_curve(self, curve: Curve | None, scale: float | None) -> None:
        """`scale`: millimetres of a pixel, None while nobody said."""
        self.curve = curve
        for item in (self._sure, self._seen, self._ng, self._marks, self._legend):
            item.setVisible(curve is not None)
        if curve is None:
            self.setAccessibleDescription("")
            return
        sizes = np.log(np.array(curve.sizes, np.float64))
        left, right = float(sizes[0]) - 0.1, float(sizes[-1]) + 0.1
        self.show_range(left, right, 0, 1)
        levels = np.linspace(0, 1, 6)
        self._grid.setData(
            np.concatenate([np.repeat(sizes, 2), np.tile([left, right], len(levels))]),
            np.concatenate([np.tile([0.0, 1.0], len(sizes)), np.repeat(levels, 2)]),
        )
        self._sure.setData([left, right], [_SURE, _SURE])
        self._seen.setData(sizes, np.array(curve.seen))
        self._ng.setData(sizes, np.array(curve.ng))
        self._marks.setData(sizes, np.array(curve.ng))
        self.axes["left"].setTicks([[(float(y), f"{y:.0%}") for y in levels]])
        said = [f"{size * scale:.3g}" if scale else f"{size:,}" for size in curve.sizes]
        self.axes["bottom"].setTicks([list(zip(map(float, sizes), said, strict=True))])
        self.name_axis("bottom", "Size of the defect, in mm" if scale else "Size of the defect, in pixels")
        self.name_axis("left", "Found")
        pairs = zip(curve.sizes, curve.ng, strict=True)
        self.setAccessibleDescription(", ".join(f"{size} px: {share:.0%} NG" for size, share in pairs))

    def restyle(self) -> None:
        super().restyle()
        self.box.setBackgroundColor(theme.colour("base"))
        self._grid.setPen(self.pen("line"))
        self._sure.setPen(self.pen("quiet", 1.2, style=Qt.PenStyle.DotLine))
        self._ng.setPen(self.pen(theme.ACCENT, 2.4))
        self._seen.setPen(self.pen("text", 1.8, style=Qt.PenStyle.DashLine))
        self._marks.setPen(self.pen(theme.ACCENT, 1.5))
        self._marks.setBrush(pg.mkBrush(theme.colour("base")))
        self._legend.clear()
        self._legend.setLabelTextColor(theme.colour("text"))
        self._legend.setLabelTextSize(f"{theme.font('small').pointSizeF():.1f}pt")
        shade = theme.colour("base")
        shade.setAlpha(215)
        self._legend.setBrush(pg.mkBrush(shade))
        self._legend.setPen(self.pen("line"))
        for curve, words in ((self._ng, "NG"), (self._seen, "NG or review"), (self._sure, "nine of ten")):
            self._legend.addItem(curve, words)
