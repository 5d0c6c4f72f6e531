"""Our line icons: 20 px SVG files with `currentColor`, tinted from the palette when they are painted."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QByteArray, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QIconEngine, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from inspector import paths


def icon(name: str, tint: str | None = None) -> QIcon:
    """The icon of `resources/icons/NAME.svg`. It follows the theme, or keeps `tint` ("#rrggbb")."""
    return QIcon(_Tinted(name, tint))


def pixmap(name: str, colour: QColor | str, size: int = 20, ratio: float = 1.0) -> QPixmap:
    """One icon as a pixmap of `size` logical pixels."""
    return _drawn(name, QColor(colour).name(QColor.NameFormat.HexArgb), round(size * ratio), ratio)


@lru_cache(maxsize=512)
def _source(name: str) -> bytes:
    return (paths.resources() / "icons" / f"{name}.svg").read_bytes()


@lru_cache(maxsize=512)
def _drawn(name: str, colour: str, pixels: int, ratio: float) -> QPixmap:
    tint = QColor(colour)
    # QtSvg knows no currentColor, so the word is replaced before it is read.
    renderer = QSvgRenderer(QByteArray(_source(name).replace(b"currentColor", tint.name().encode())))
    drawn = QPixmap(pixels, pixels)
    drawn.fill(Qt.GlobalColor.transparent)
    painter = QPainter(drawn)
    painter.setOpacity(tint.alphaF())
    renderer.render(painter)
    painter.end()
    drawn.setDevicePixelRatio(ratio)
    return drawn


class _Tinted(QIconEngine):
    def __init__(self, name: str, tint: str | None) -> None:
        super().__init__()
        self._name, self._tint = name, tint

    def clone(self) -> QIconEngine:
        return _Tinted(self._name, self._tint)

    def _colour(self, mode: QIcon.Mode) -> QColor:
        if self._tint is not None and mode != QIcon.Mode.Disabled:
            return QColor(self._tint)
        group = QPalette.ColorGroup.Disabled if mode == QIcon.Mode.Disabled else QPalette.ColorGroup.Active
        chosen = mode == QIcon.Mode.Selected
        role = QPalette.ColorRole.HighlightedText if chosen else QPalette.ColorRole.WindowText
        return QApplication.palette().color(group, role)

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        ratio = painter.device().devicePixelRatio()
        side = min(rect.width(), rect.height())
        drawn = pixmap(self._name, self._colour(mode), side, ratio)
        corner = rect.topLeft() + QPoint((rect.width() - side) // 2, (rect.height() - side) // 2)
        painter.drawPixmap(corner, drawn)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return self.scaledPixmap(size, mode, state, 1.0)

    def scaledPixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float) -> QPixmap:
        """`size` is in points, of which each is `scale` pixels wide."""
        return _drawn(
            self._name,
            self._colour(mode).name(QColor.NameFormat.HexArgb),
            max(1, round(min(size.width(), size.height()) * max(scale, 1.0))),
            max(scale, 1.0),
        )


def plain(name: str) -> QIcon:
    """An icon in its own colours (the application's mark), in the sizes that desktops ask for."""
    made = QIcon()
    for size in (16, 32, 64, 128, 256):
        made.addPixmap(_drawn(name, "#ffffffff", size, 1.0))
    return made
