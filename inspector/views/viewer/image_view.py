"""The image with its heat: pan, zoom, overlay, region boxes, and the score under the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

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

from inspector.exports.heat import Heat
from inspector.views.viewer import layers
from inspector.views.viewer.heat_layer import HeatLayer
from inspector.views.viewer.picture import Box, Cover, Picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from inspector.domain import Region

_LARGEST_SCALE = 64.0


@dataclass(frozen=True, slots=True)
class Hover:
    """What is under the cursor: image pixel, and the map's value there (None without a map)."""

    x: int
    y: int
    value: float | None


class ImageView(QWidget):
    """Shows a `Picture` and, over it, an anomaly map that covers the whole image.

    Positions inside are device pixels; `scale` is device pixels per image pixel, so 1.0 is one to one on any screen.
    Drawing the image is slow: it is done once per view.
    """

    hovered = Signal(object)  # Hover, or None when the cursor is off the image
    view_changed = Signal()  # panned or zoomed
    region_clicked = Signal(int)
    spot_clicked = Signal(float, float)  # while `asking`: where, in shares of the image's sides

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 120)
        self.setAccessibleName("Image")
        self.picture: Picture | None = None
        self.layer = HeatLayer()
        self.regions: tuple[Region, ...] = ()
        self.selected = -1
        self.asking = False
        self.mark: Box | None = None  # a place in shares of the image's sides
        self.cover: Cover | None = None
        self.note = ""
        self.message = ""
        self.overlay_on = True
        self.boxes_on = True
        self.scale = 1.0
        self._origin = (0.0, 0.0)
        self._fitted = True
        self._base: QImage | None = None
        self._pressed: QPointF | None = None
        self._dragged = False

    @property
    def heat(self) -> Heat:
        return self.layer.heat

    @property
    def values(self) -> NDArray[np.float32] | None:
        return self.layer.values

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
        self.picture, self.note, self.message, self.mark, self.cover = picture, note, "", None, None
        self.regions, self.selected = tuple(regions), -1
        self._set_values(values)
        if not same or self._fitted:
            self.fit()
        self._changed()

    def set_regions(self, regions: Sequence[Region], selected: int = -1) -> None:
        self.regions, self.selected = tuple(regions), selected
        self.update()

    def set_heat(self, heat: Heat) -> None:
        if heat != self.layer.heat:
            self.layer.set_heat(heat)
            self.update()

    def set_overlay(self, on: bool) -> None:
        self.overlay_on = on
        self.update()

    def set_boxes(self, on: bool) -> None:
        self.boxes_on = on
        self.update()

    def set_asking(self, on: bool) -> None:
        """Whether a click asks about a spot rather than choosing a region."""
        self.asking = on
        self._rest()

    def set_mark(self, mark: Box | None) -> None:
        self.mark = mark
        self.update()

    def set_cover(self, cover: Cover | None) -> None:
        """Show another picture in place of the image and of all that lies over it."""
        self.cover = cover
        self._changed()

    def share_at(self, position: QPointF) -> tuple[float, float] | None:
        """A point of the widget in shares of the image's sides; None beside the image."""
        (x, y), size = self._image_point(position), self.picture
        beside = size is None or not (0 <= x < size.width and 0 <= y < size.height)
        return None if size is None or beside else (x / size.width, y / size.height)

    def region_at(self, position: QPointF) -> int | None:
        """The number of the smallest region under a point of the widget."""
        return layers.region_at(self.regions, *self._image_point(position))

    def show_message(self, text: str) -> None:
        """Say `text` in place of an image."""
        self.picture, self.message, self.note, self.regions = None, text, "", ()
        self.mark = self.cover = None
        self._set_values(None)
        self._changed()

    def value_at(self, x: float, y: float) -> float | None:
        """The map's value at a point of the image in pixels."""
        size = self.picture
        return None if size is None else self.layer.value_at(x / size.width, y / size.height)

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
        self._base = None
        self.layer.moved()
        self.update()

    def _set_values(self, values: NDArray[np.float32] | None) -> None:
        if not self.layer.set_values(values):
            self.note = "heatmap unavailable"

    def _target(self) -> QRectF:
        """Where the image lies, in device pixels."""
        assert self.picture is not None
        return QRectF(*self._origin, self.picture.width * self.scale, self.picture.height * self.scale)

    def _visible(self) -> QRect:
        return self._target().toAlignedRect().intersected(QRect(0, 0, *self._device_size()))

    def paintEvent(self, event: QPaintEvent) -> None:
        ratio = self.devicePixelRatioF()
        if self._base is None:
            place = self.picture, self._origin, self.scale
            if self.picture is not None and self.cover is not None:
                place = self.cover.place(self.picture, self._origin, self.scale)
            self._base = layers.base(self._device_size(), *place)
        painter = QPainter(self)
        painter.scale(1 / ratio, 1 / ratio)
        painter.drawImage(QRect(0, 0, *self._device_size()), self._base)
        covered = self.picture is None or self.cover is not None
        if self.overlay_on and not covered:
            self.layer.paint(painter, self._visible(), self._target())
            if self.boxes_on:
                layers.regions(
                    painter, self.regions, self.selected, self._origin, self.scale, ratio, self.font()
                )
        if self.mark is not None and not covered:
            layers.mark(painter, self.mark, self._target(), ratio)
        painter.resetTransform()
        if self.message:
            painter.setPen(self.palette().windowText().color())
            box = self.rect().adjusted(24, 24, -24, -24)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.message)
        note = self.note if self.cover is None else self.cover.note
        if note:
            layers.note(painter, note, self.rect(), self.font())
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
        self._rest()
        if not was_click or event.button() != Qt.MouseButton.LeftButton:
            return
        if self.asking:
            at = self.share_at(event.position())
            if at is not None:
                self.spot_clicked.emit(*at)
        elif self.overlay_on and self.boxes_on:
            hit = self.region_at(event.position())
            if hit is not None:
                self.region_clicked.emit(hit)

    def _rest(self) -> None:
        """The cursor that says what a click does."""
        self.setCursor(Qt.CursorShape.CrossCursor if self.asking else Qt.CursorShape.ArrowCursor)

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
        (x, y), on_it = self._image_point(position), self.share_at(position) is not None
        self.hovered.emit(Hover(int(x), int(y), self.value_at(x, y)) if on_it else None)
