"""The layers of an image view that follow from its place alone: the image, region boxes, a line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRect, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPainterPath, QPen

from inspector.views.look import theme
from inspector.views.viewer.picture import Box, Picture

if TYPE_CHECKING:
    from inspector.domain import Region


def base(size: tuple[int, int], picture: Picture | None, origin: tuple[float, float], scale: float) -> QImage:
    """The image on its surround, `size` (width, height) device pixels; its corner at `origin`, at `scale` device pixels
    per image pixel."""
    drawn = QImage(*size, QImage.Format.Format_RGB32)
    drawn.fill(theme.colour("surround"))
    if picture is None:
        return drawn
    level = 0
    if scale < 1:  # the level just above screen resolution, so nothing aliases
        level = min(math.floor(math.log2(1 / scale) + 1e-6), len(picture.levels) - 1)
    source = picture.levels[level]
    whole = QRectF(*origin, picture.width * scale, picture.height * scale)
    visible = whole.toAlignedRect().intersected(QRect(0, 0, *size))
    shrink_x, shrink_y = source.width() / picture.width, source.height() / picture.height
    # Whole image pixels around what is visible, so the grid does not swim while panning.
    left = math.floor((visible.left() - origin[0]) / scale * shrink_x)
    top = math.floor((visible.top() - origin[1]) / scale * shrink_y)
    right = math.ceil((visible.right() + 1 - origin[0]) / scale * shrink_x)
    bottom = math.ceil((visible.bottom() + 1 - origin[1]) / scale * shrink_y)
    part = QRect(left, top, right - left, bottom - top).intersected(source.rect())
    step_x, step_y = scale / shrink_x, scale / shrink_y
    where = QRectF(
        origin[0] + part.x() * step_x,
        origin[1] + part.y() * step_y,
        part.width() * step_x,
        part.height() * step_y,
    )
    painter = QPainter(drawn)
    # Past 1 : 1 every image pixel is a square: smoothing would hide what was photographed.
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale < 1)
    painter.drawImage(where, source, QRectF(part))
    painter.end()
    return drawn


def regions(
    painter: QPainter,
    found: Sequence[Region],
    selected: int,
    origin: tuple[float, float],
    scale: float,
    ratio: float,
    font: QFont,
) -> None:
    """A numbered box around each region, in device pixels (`ratio` to a widget pixel)."""
    font = QFont(font)
    font.setPixelSize(round(11 * ratio))
    painter.setFont(font)
    metrics = QFontMetricsF(font)
    for number, region in enumerate(found):
        x, y, w, h = region.box
        box = QRectF(origin[0] + x * scale, origin[1] + y * scale, w * scale, h * scale).adjusted(
            -2 * ratio, -2 * ratio, 2 * ratio, 2 * ratio
        )
        chosen = number == selected
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(0, 0, 0, 150), (4 if chosen else 3) * ratio))
        painter.drawRect(box)
        line = QColor("#6cb2f0") if chosen else QColor(255, 255, 255, 220)
        painter.setPen(QPen(line, (2 if chosen else 1) * ratio))
        painter.drawRect(box)
        text = str(number + 1)  # outside the box: a label must not cover a small defect
        tag = QRectF(0, 0, metrics.horizontalAdvance(text) + 8 * ratio, metrics.height() + 2 * ratio)
        tag.moveBottomLeft(box.topLeft() - QPointF(0, 2 * ratio))
        if tag.top() < 0:
            tag.moveTopLeft(box.bottomLeft() + QPointF(0, 2 * ratio))
        painter.fillRect(tag, QColor(0, 0, 0, 150))
        painter.setPen(line)
        painter.drawText(tag, Qt.AlignmentFlag.AlignCenter, text)


def region_at(found: Sequence[Region], x: float, y: float) -> int | None:
    """The smallest region whose box holds a point of the image in pixels."""
    hit = [
        (one.box[2] * one.box[3], number)
        for number, one in enumerate(found)
        if one.box[0] <= x < one.box[0] + one.box[2] and one.box[1] <= y < one.box[1] + one.box[3]
    ]
    return min(hit)[1] if hit else None


def mark(painter: QPainter, place: Box, image: QRectF, ratio: float) -> None:
    """Corners around a place (left, top, width, height in shares of the image's sides), which leave in sight what it shows."""
    left, top, width, height = place
    box = QRectF(
        image.x() + left * image.width(),
        image.y() + top * image.height(),
        width * image.width(),
        height * image.height(),
    )
    least = 14 * ratio
    centre = box.center()
    box.setSize(QSizeF(max(box.width(), least), max(box.height(), least)))
    box.moveCenter(centre)
    reach = min(box.width(), box.height()) / 3
    lines = QPainterPath()
    for x, across in ((box.left(), reach), (box.right(), -reach)):
        for y, down in ((box.top(), reach), (box.bottom(), -reach)):
            lines.moveTo(x + across, y)
            lines.lineTo(x, y)
            lines.lineTo(x, y + down)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for colour, wide in ((QColor(0, 0, 0, 190), 4), (QColor("#ffe45c"), 2)):
        painter.setPen(QPen(colour, wide * ratio))
        painter.drawPath(lines)


def note(painter: QPainter, text: str, area: QRect, font: QFont) -> None:
    """A line over the foot of the image."""
    metrics = QFontMetricsF(font)
    box = QRectF(0, 0, metrics.horizontalAdvance(text) + 24, metrics.height() + 12)
    box.moveCenter(QPointF(area.width() / 2, area.height() - box.height() / 2 - 12))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 190))
    painter.drawRoundedRect(box, 6, 6)
    painter.setPen(QColor("#ffffff"))
    painter.setFont(font)
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
