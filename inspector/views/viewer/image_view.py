"""The image with its heat: pan, zoom, overlay, region boxes, and the score under the cursor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import (
    QImage,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from inspector.exports.heat import LEVELS, Heat, Mode, lookup, quantise
from inspector.views.viewer import layers
from inspector.views.viewer import map_overlay as sight
from inspector.views.viewer.picture import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inspector.domain import Region

_LARGEST_SCALE = 64.0
_OVERLAY_PIXELS = 1_600_000


@dataclass(frozen=True, slots=True)
class Hover:
    """What is under the cursor: image pixel, and the map's value there (None without a map)."""

    x: int
    y: int
    value: float | None


class ImageView(QWidget):
    """Shows a `Picture` and, over it, an anomaly map that covers the whole image.

    Positions inside are device pixels; `scale` is device pixels per image pixel, so 1.0 is one to one on any screen.
    What is slow (drawing the image, enlarging the map) is done once per view and kept; a new threshold, colour map
    or opacity is only a look-up.
    """

    hovered = Signal(object)  # Hover, or None when the cursor is off the image
    view_changed = Signal()  # panned or zoomed
    region_clicked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 120)
        self.setAccessibleName("Image")
        self.picture: Picture | None = None
        self.values: NDArray[np.float32] | None = None
        self.regions: tuple[Region, ...] = ()
        self.selected = -1
        self.note = ""
        self.message = ""
        self.heat = Heat(0.0, 1.0, 0.5)
        self.overlay_on = True
        self.boxes_on = True
        self.scale = 1.0
        self._origin = (0.0, 0.0)
        self._fitted = True
        self._base: QImage | None = None
        self._field: NDArray[np.uint16] | None = None
        self._field_rect = QRect()
        self._range = (0.0, 1.0)
        self._overlay: tuple[QImage, NDArray[np.uint32]] | None = None
        self._pressed: QPointF | None = None
        self._dragged = False

    # what is shown

    def show_picture(
        self,
        picture: Picture | None,
        values: NDArray[np.float32] | None = None,
        regions: Sequence[Region] = (),
        note: str = "",
    ) -> None:
        """Show an image with its map. Pan and zoom stay when the size is the same. `note`: a line over the image,
        for instance "heatmap unavailable"."""
        same = (
            picture is not None
            and self.picture is not None
            and (picture.width, picture.height) == (self.picture.width, self.picture.height)
        )
        self.picture, self.note, self.message = picture, note, ""
        self.regions, self.selected = tuple(regions), -1
        self._set_values(values)
        if not same or self._fitted:
            self.fit()
        self._changed()

    def set_regions(self, regions: Sequence[Region], selected: int = -1) -> None:
        self.regions, self.selected = tuple(regions), selected
        self.update()

    def set_heat(self, heat: Heat) -> None:
        if heat != self.heat:
            self.heat = heat
            self._overlay = None
            self.update()

    def set_overlay(self, on: bool) -> None:
        self.overlay_on = on
        self.update()

    def set_boxes(self, on: bool) -> None:
        self.boxes_on = on
        self.update()

    def show_message(self, text: str) -> None:
        """Say `text` in place of an image."""
        self.picture, self.message, self.note, self.regions = None, text, "", ()
        self._set_values(None)
        self._changed()

    def value_at(self, x: float, y: float) -> float | None:
        """The map's value at a point of the image in pixels."""
        if self.values is None or self.picture is None:
            return None
        at = np.array([x / self.picture.width]), np.array([y / self.picture.height])
        return float(sight.enlarge(self.values, *at)[0, 0])

    # pan and zoom

    def view(self) -> tuple[float, float, float]:
        """(scale, x, y): the image point at the middle, as fractions of the image."""
        width, height = self._device_size()
        size = self.picture
        if size is None:
            return self.scale, 0.5, 0.5
        return (
            self.scale,
            (width / 2 - self._origin[0]) / self.scale / size.width,
            (height / 2 - self._origin[1]) / self.scale / size.height,
        )

    def set_view(self, scale: float, x: float, y: float) -> None:
        """Bring image point (x, y), fractions of the image, to the middle at `scale`."""
        if self.picture is None:
            return
        width, height = self._device_size()
        self.scale = self._bounded(scale)
        self._origin = (
            width / 2 - x * self.picture.width * self.scale,
            height / 2 - y * self.picture.height * self.scale,
        )
        self._fitted = False
        self._moved()

    def fit(self) -> None:
        """The whole image in sight (never enlarged beyond 8 : 1)."""
        if self.picture is not None:
            width, height = self._device_size()
            self.scale = min(width / self.picture.width, height / self.picture.height, 8.0)
            self._origin = (
                (width - self.picture.width * self.scale) / 2,
                (height - self.picture.height * self.scale) / 2,
            )
        self._fitted = True
        self._changed()
        self.view_changed.emit()

    def one_to_one(self) -> None:
        """One image pixel on one screen pixel, around the middle."""
        _, x, y = self.view()
        self.set_view(1.0, x, y)

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Enlarge by `factor` with the point `at` (widget coordinates, else the middle) staying where it is."""
        if self.picture is None:
            return
        ratio = self.devicePixelRatioF()
        point = (at if at is not None else QPointF(self.width() / 2, self.height() / 2)) * ratio
        scale = self._bounded(self.scale * factor)
        done = scale / self.scale
        self._origin = (
            point.x() - (point.x() - self._origin[0]) * done,
            point.y() - (point.y() - self._origin[1]) * done,
        )
        self.scale = scale
        self._fitted = False
        self._moved()

    def pan(self, dx: float, dy: float) -> None:
        """Move the image by widget pixels."""
        ratio = self.devicePixelRatioF()
        self._origin = (self._origin[0] + dx * ratio, self._origin[1] + dy * ratio)
        self._fitted = False
        self._moved()

    def zoom_to(self, region: Region) -> None:
        """Bring a region to the middle, at most a third of the view wide."""
        if self.picture is None:
            return
        x, y, w, h = region.box
        width, height = self._device_size()
        scale = min(width / 3 / max(w, 1), height / 3 / max(h, 1), 8.0)
        fitting = min(width / self.picture.width, height / self.picture.height)
        self.set_view(
            max(scale, fitting), (x + w / 2) / self.picture.width, (y + h / 2) / self.picture.height
        )

    # inside

    def _device_size(self) -> tuple[int, int]:
        ratio = self.devicePixelRatioF()
        return max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio))

    def _bounded(self, scale: float) -> float:
        assert self.picture is not None
        width, height = self._device_size()
        fitting = min(width / self.picture.width, height / self.picture.height)
        return min(max(scale, min(fitting, 1.0) / 4), _LARGEST_SCALE)

    def _moved(self) -> None:
        if self.picture is not None:  # some of the image stays in sight
            width, height = self._device_size()
            x = min(max(self._origin[0], width / 2 - self.picture.width * self.scale), width / 2)
            y = min(max(self._origin[1], height / 2 - self.picture.height * self.scale), height / 2)
            self._origin = (x, y)
        self._changed()
        self.view_changed.emit()

    def _changed(self) -> None:
        self._base = self._field = self._overlay = None
        self.update()

    def _set_values(self, values: NDArray[np.float32] | None) -> None:
        if values is not None and values.size and np.isfinite(values).all():
            self.values = np.ascontiguousarray(values, np.float32)
            self._range = (float(values.min()), float(values.max()))
        else:
            if values is not None:
                self.note = "heatmap unavailable"
            self.values = None

    def _target(self) -> QRectF:
        """Where the image lies, in device pixels."""
        assert self.picture is not None
        return QRectF(*self._origin, self.picture.width * self.scale, self.picture.height * self.scale)

    def _visible(self) -> QRect:
        return self._target().toAlignedRect().intersected(QRect(0, 0, *self._device_size()))

    def _make_field(self) -> NDArray[np.uint16]:
        """The visible part of the map at screen resolution."""
        assert self.values is not None
        rect = self._visible()
        step = max(1.0, math.sqrt(rect.width() * rect.height() / _OVERLAY_PIXELS))
        target = self._target()
        columns, rows = max(1, round(rect.width() / step)), max(1, round(rect.height() / step))
        x = (rect.x() + (np.arange(columns) + 0.5) * rect.width() / columns - target.x()) / target.width()
        y = (rect.y() + (np.arange(rows) + 0.5) * rect.height() / rows - target.y()) / target.height()
        self._field_rect = rect
        return quantise(sight.enlarge(self.values, x, y), *self._range)

    def _draw_overlay(self) -> tuple[QImage, NDArray[np.uint32]]:
        if self._field is None:
            self._field = self._make_field()
        lowest, highest = self._range
        if self.heat.mode is Mode.CONTOUR:
            level = (self.heat.threshold - lowest) / max(highest - lowest, 1e-12) * (LEVELS - 1)
            argb = sight.outline(self._field >= level)
        else:
            table = lookup(self.heat, lowest, highest)
            argb = np.take(table, self._field, mode="clip")
        height, width = argb.shape
        image = QImage(argb.data, width, height, width * 4, QImage.Format.Format_ARGB32_Premultiplied)
        return image, argb

    def paintEvent(self, event: QPaintEvent) -> None:
        ratio = self.devicePixelRatioF()
        if self._base is None:
            self._base = layers.base(self._device_size(), self.picture, self._origin, self.scale)
        painter = QPainter(self)
        painter.scale(1 / ratio, 1 / ratio)
        painter.drawImage(QRect(0, 0, *self._device_size()), self._base)
        if self.picture is not None and self.overlay_on:
            if self.values is not None and not self._visible().isEmpty():
                if self._overlay is None:
                    self._overlay = self._draw_overlay()
                painter.drawImage(self._field_rect, self._overlay[0])
            if self.boxes_on:
                layers.regions(
                    painter, self.regions, self.selected, self._origin, self.scale, ratio, self.font()
                )
        painter.resetTransform()
        if self.message:
            painter.setPen(self.palette().windowText().color())
            box = self.rect().adjusted(24, 24, -24, -24)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.message)
        if self.note:
            layers.note(painter, self.note, self.rect(), self.font())
        painter.end()

    # events

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self._changed()
        super().changeEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        if self._fitted:
            self.fit()
            return
        old, ratio = event.oldSize(), self.devicePixelRatioF()
        if old.isValid():
            self._origin = (
                self._origin[0] + (self.width() - old.width()) / 2 * ratio,
                self._origin[1] + (self.height() - old.height()) / 2 * ratio,
            )
        self._moved()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.picture is not None and event.angleDelta().y():
            self.zoom(1.25 ** (event.angleDelta().y() / 120), event.position())
            event.accept()

    def event(self, event: QEvent) -> bool:
        if (
            isinstance(event, QNativeGestureEvent)
            and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture
        ):
            self.zoom(1 + event.value(), event.position())
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            self._pressed, self._dragged = event.position(), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is not None and self.picture is not None:
            step = event.position() - self._pressed
            if self._dragged or step.manhattanLength() >= 4:
                if not self._dragged:
                    self.setCursor(Qt.CursorShape.ClosedHandCursor)
                self._dragged, self._pressed = True, event.position()
                self.pan(step.x(), step.y())
        self._tell_hover(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        was_click = self._pressed is not None and not self._dragged
        self._pressed = None
        self.unsetCursor()
        if was_click and event.button() == Qt.MouseButton.LeftButton and self.overlay_on and self.boxes_on:
            x, y = self._image_point(event.position())
            hit = [
                (r.box[2] * r.box[3], i)
                for i, r in enumerate(self.regions)
                if r.box[0] <= x < r.box[0] + r.box[2] and r.box[1] <= y < r.box[1] + r.box[3]
            ]
            if hit:
                self.region_clicked.emit(min(hit)[1])

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self.picture is None:
            return
        if self._fitted:
            self.zoom(1.0 / self.scale, event.position())
        else:
            self.fit()

    def leaveEvent(self, event: QEvent) -> None:
        self.hovered.emit(None)

    def _image_point(self, position: QPointF) -> tuple[float, float]:
        ratio = self.devicePixelRatioF()
        return (
            (position.x() * ratio - self._origin[0]) / self.scale,
            (position.y() * ratio - self._origin[1]) / self.scale,
        )

    def _tell_hover(self, position: QPointF) -> None:
        if self.picture is None:
            return
        x, y = self._image_point(position)
        if 0 <= x < self.picture.width and 0 <= y < self.picture.height:
            self.hovered.emit(Hover(int(x), int(y), self.value_at(x, y)))
        else:
            self.hovered.emit(None)
