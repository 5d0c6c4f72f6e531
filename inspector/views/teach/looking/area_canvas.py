"""A shot to draw on: which parts of a picture are inspected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPolygonF,
)

from inspector.images.area import Area, Polygon
from inspector.views.look import theme
from inspector.views.viewer.image_view import ImageView

_NEAR = 9.0
"""Px from a corner at which it is taken hold of."""
_STEP = 0.01
"""Share of the picture by which an arrow key moves."""
_SHADE = QColor(0, 0, 0, 150)
_IGNORED = theme.DARK.warning  # it lies on the shade, in either theme
_ARROWS = {
    Qt.Key.Key_Left: (-_STEP, 0.0),
    Qt.Key.Key_Right: (_STEP, 0.0),
    Qt.Key.Key_Up: (0.0, -_STEP),
    Qt.Key.Key_Down: (0.0, _STEP),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """A polygon, and whether its inside is ignored rather than inspected."""

    polygon: Polygon
    ignored: bool


class AreaCanvas(ImageView):
    """Drag to draw a rectangle, or click corner by corner; drag a corner or a shape to move it; Del removes it.

    `changed` follows every change that is complete; `undo` takes back the last.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Shot, to draw on")
        self.shapes: tuple[Shape, ...] = ()
        self.chosen = -1
        self.ignoring = False
        self.by_corners = False
        self._corners: list[tuple[float, float]] = []  # of a polygon that is not closed yet
        self._history: list[tuple[Shape, ...]] = []
        self._held: tuple[int, int] | None = None  # shape and corner, -1 for all of them
        self._from: tuple[float, float] | None = None
        self._before: tuple[Shape, ...] = ()

    # what is drawn

    @property
    def area(self) -> Area | None:
        """What the shapes say; None where everything is inspected."""
        if not self.shapes:
            return None
        inspected = tuple(one.polygon for one in self.shapes if not one.ignored)
        return Area(inspected, tuple(one.polygon for one in self.shapes if one.ignored))

    @property
    def unfinished(self) -> bool:
        """Whether a polygon is begun and not closed."""
        return bool(self._corners)

    def give_up(self) -> None:
        """Drop a polygon that is not closed."""
        self._corners.clear()
        self._told()

    @property
    def can_undo(self) -> bool:
        return bool(self._history) or bool(self._corners)

    def show_area(self, area: Area | None) -> None:
        """Start with an area; there is nothing to undo then."""
        self._history.clear()
        self._corners.clear()
        self.shapes, self.chosen = _shapes(area), -1
        self._told()

    def use(self, area: Area | None) -> None:
        """Draw another area instead, as a step that can be undone."""
        self.chosen = -1
        self._corners.clear()
        self._set(_shapes(area))

    def add_rectangle(self) -> None:
        """One in the middle, to be moved and sized by keys or mouse."""
        self._corners.clear()
        self._add(_rectangle((1 / 3, 1 / 3), (2 / 3, 2 / 3)))

    def remove_chosen(self) -> None:
        if 0 <= self.chosen < len(self.shapes):
            kept = self.shapes[: self.chosen] + self.shapes[self.chosen + 1 :]
            self.chosen = -1
            self._set(kept)

    def undo(self) -> None:
        if self._corners:
            self._corners.pop()
        elif self._history:
            self.shapes, self.chosen = self._history.pop(), -1
        self._told()

    def _set(self, shapes: Sequence[Shape]) -> None:
        if tuple(shapes) != self.shapes:
            self._history.append(self.shapes)
            self.shapes = tuple(shapes)
            self._told()

    def _add(self, polygon: Polygon) -> None:
        self.chosen = len(self.shapes)
        self._set((*self.shapes, Shape(polygon, self.ignoring)))

    def _told(self) -> None:
        self.update()
        self.changed.emit()

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.picture is None or not (self.shapes or self._corners):
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        inspected, ignored = self._path(False), self._path(True)
        whole = QPainterPath()
        whole.addPolygon(self._points(_rectangle((0, 0), (1, 1))))
        kept = inspected if not inspected.isEmpty() else whole
        painter.fillPath(whole.subtracted(kept.subtracted(ignored)), _SHADE)
        for number, shape in enumerate(self.shapes):
            colour = QColor(_IGNORED if shape.ignored else theme.ACCENT)
            self._outline(painter, shape.polygon, colour, number == self.chosen, shape.ignored)
        if self._corners:
            colour = QColor(_IGNORED if self.ignoring else theme.ACCENT)
            painter.setPen(QPen(colour, 2))
            points = self._points(tuple(self._corners))
            painter.drawPolyline(points)
            for point in points.toList():
                painter.drawEllipse(point, 4, 4)
        painter.end()

    def _path(self, ignored: bool) -> QPainterPath:
        path = QPainterPath()
        for shape in self.shapes:
            if shape.ignored == ignored:
                one = QPainterPath()
                one.addPolygon(self._points(shape.polygon))
                one.closeSubpath()
                path = path.united(one)
        return path

    def _outline(
        self, painter: QPainter, polygon: Polygon, colour: QColor, chosen: bool, dashed: bool
    ) -> None:
        points = self._points(polygon)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(0, 0, 0, 170), 4))
        painter.drawPolygon(points)
        pen = QPen(colour, 2, Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine)
        painter.setPen(pen)
        painter.drawPolygon(points)
        if chosen:
            painter.setPen(QPen(QColor("#ffffff"), 1.5))
            painter.setBrush(colour)
            for point in points.toList():
                painter.drawEllipse(point, 5, 5)

    def _points(self, polygon: Polygon) -> QPolygonF:
        return QPolygonF([self._place(corner) for corner in polygon])

    def _place(self, corner: tuple[float, float]) -> QPointF:
        assert self.picture is not None
        ratio = self.devicePixelRatioF()
        x = (corner[0] * self.picture.width * self.scale + self._origin[0]) / ratio
        return QPointF(x, (corner[1] * self.picture.height * self.scale + self._origin[1]) / ratio)

    def _corner(self, position: QPointF) -> tuple[float, float]:
        """A position as shares of the picture, on its border where it lies outside."""
        assert self.picture is not None
        x, y = self._image_point(position)
        return min(max(x / self.picture.width, 0.0), 1.0), min(max(y / self.picture.height, 0.0), 1.0)

    # mouse and keys; the middle button and the wheel move and zoom as everywhere

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self.picture is None:
            super().mousePressEvent(event)
            return
        self._before, self._from = self.shapes, self._corner(event.position())
        if self._corners:
            return
        self._held = self._hit(event.position())
        self.chosen = self._held[0] if self._held else -1
        self._told()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._from is None or self.picture is None:
            super().mouseMoveEvent(event)
            return
        now = self._corner(event.position())
        if self._held is not None:
            number, corner = self._held
            before = self._before[number]
            moved = _moved(before.polygon, corner, now[0] - self._from[0], now[1] - self._from[1])
            self.shapes = (
                *self._before[:number],
                replace(before, polygon=moved),
                *self._before[number + 1 :],
            )
        elif not self.by_corners:
            self.shapes = (*self._before, Shape(_rectangle(self._from, now), self.ignoring))
            self.chosen = len(self._before)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._from is None or self.picture is None:  # which may have gone while the button was down
            self._from = self._held = None
            super().mouseReleaseEvent(event)
            return
        began, self._from = self._from, None
        now, held, self._held = self._corner(event.position()), self._held, None
        if held is None and self.by_corners:
            first = self._place(self._corners[0]) if self._corners else None
            if first is not None and len(self._corners) > 2 and _apart(first, event.position()) <= _NEAR:
                self._close()
            else:
                self._corners.append(now)
                self._told()
        elif held is None and min(abs(now[0] - began[0]), abs(now[1] - began[1])) < _STEP / 2:
            self.shapes, self.chosen = self._before, -1  # a click beside everything, no rectangle
            self._told()
        else:
            shapes, self.shapes = self.shapes, self._before
            self._set(shapes)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._corners:
            self._close()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            if self._corners:
                self.undo()
            else:
                self.remove_chosen()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._corners:
            self._close()
        elif key == Qt.Key.Key_Escape and self._corners:
            self.give_up()
        elif key in _ARROWS and 0 <= self.chosen < len(self.shapes):
            self._push(
                *_ARROWS[Qt.Key(key)], sizes=bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            )
        else:
            super().keyPressEvent(event)

    def _push(self, dx: float, dy: float, *, sizes: bool) -> None:
        """Move the chosen shape, or stretch it away from its upper left."""
        shape, number = self.shapes[self.chosen], self.chosen
        if sizes:
            left, top = (min(corner[axis] for corner in shape.polygon) for axis in range(2))
            width, height = (max(corner[axis] for corner in shape.polygon) for axis in range(2))
            across, down = (max(width - left, 1e-6), max(height - top, 1e-6))
            polygon = tuple(
                (
                    min(left + (x - left) * max(across + dx, _STEP) / across, 1.0),
                    min(top + (y - top) * max(down + dy, _STEP) / down, 1.0),
                )
                for x, y in shape.polygon
            )
        else:
            polygon = _moved(shape.polygon, -1, dx, dy)
        self._set((*self.shapes[:number], replace(shape, polygon=polygon), *self.shapes[number + 1 :]))

    def _close(self) -> None:
        corners, self._corners = tuple(dict.fromkeys(self._corners)), []
        if len(corners) > 2:
            self._add(corners)
        else:
            self._told()

    def _hit(self, position: QPointF) -> tuple[int, int] | None:
        """The shape under the mouse, the chosen one first, and its corner, -1 for none."""
        order = sorted(range(len(self.shapes)), key=lambda number: (number != self.chosen, -number))
        for number in order:
            for corner, place in enumerate(self._points(self.shapes[number].polygon).toList()):
                if _apart(place, position) <= _NEAR:
                    return number, corner
        inside = Qt.FillRule.WindingFill
        for number in order:
            if self._points(self.shapes[number].polygon).containsPoint(position, inside):
                return number, -1
        return None


def _shapes(area: Area | None) -> tuple[Shape, ...]:
    if area is None:
        return ()
    return (*(Shape(one, False) for one in area.inspected), *(Shape(one, True) for one in area.ignored))


def _rectangle(one: tuple[float, float], other: tuple[float, float]) -> Polygon:
    (left, right), (top, bottom) = sorted((one[0], other[0])), sorted((one[1], other[1]))
    return (left, top), (right, top), (right, bottom), (left, bottom)


def _moved(polygon: Polygon, corner: int, dx: float, dy: float) -> Polygon:
    """Moved within the picture: one corner, of a rectangle with its neighbours, or all of it where `corner` is -1."""
    if corner < 0:
        dx = min(max(dx, -min(x for x, _ in polygon)), 1 - max(x for x, _ in polygon))
        dy = min(max(dy, -min(y for _, y in polygon)), 1 - max(y for _, y in polygon))
        return tuple((x + dx, y + dy) for x, y in polygon)
    old = polygon[corner]
    new = min(max(old[0] + dx, 0.0), 1.0), min(max(old[1] + dy, 0.0), 1.0)
    if _upright(polygon):
        return tuple((new[0] if x == old[0] else x, new[1] if y == old[1] else y) for x, y in polygon)
    return (*polygon[:corner], new, *polygon[corner + 1 :])


def _upright(polygon: Polygon) -> bool:
    """Whether it is a rectangle along the picture's sides."""
    return len(polygon) == 4 and len({x for x, _ in polygon}) == 2 == len({y for _, y in polygon})


def _apart(one: QPointF, other: QPointF) -> float:
    return float((one - other).manhattanLength())
