"""The good shot that is most like an image, beside it, moved and zoomed together with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from inspector import paths
from inspector.errors import InspectorError
from inspector.views.viewer import picture as pictures
from inspector.views.viewer.image_view import ImageView
from inspector.views.viewer.picture import Box, Cover, Picture, Point

if TYPE_CHECKING:
    from inspector.records.project import Project

_SIDE = 32


@dataclass(frozen=True, slots=True, eq=False)
class GoodShot:
    name: str
    picture: Picture


def nearest(project: Project, class_id: int, picture: Picture, white: int | None = None) -> GoodShot | None:
    """The shot of the class whose grey values run most like the image's; None when no shot can be read.

    Compared at 32 × 32 by correlation, so light and contrast don't matter. `white`: the end
    of the range that the image was read in, see `images.read`. Decodes an image: for a worker.
    """
    from inspector.images.read import read
    from inspector.images.thumbnail import thumbnail
    from inspector.records.shots import list_shots

    wanted = _pattern(picture.small[:, :, 2::-1])
    likeness: list[tuple[float, int]] = []
    shots = list_shots(project, class_id)
    for number, shot in enumerate(shots):
        try:
            small = thumbnail(shot.path, 128, paths.cache_dir() / "thumbnails", shot.sha256, white)
        except InspectorError:
            continue
        likeness.append((float((wanted * _pattern(small)).sum()), -number))
    for _, number in sorted(likeness, reverse=True):
        try:
            pixels = read(shots[-number].path, white=white).pixels
        except InspectorError:
            continue
        return GoodShot(shots[-number].name, pictures.picture(pixels))
    return None


def _pattern(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey values at 32 × 32, mean 0, length 1."""
    import cv2

    grey = np.ascontiguousarray(pixels).astype(np.float32).mean(axis=2)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    small = small - small.mean()
    return np.asarray(small / max(float(np.linalg.norm(small)), 1e-6), np.float32)


class _Follower(ImageView):
    resizing = False

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.resizing = True
        super().resizeEvent(event)
        self.resizing = False


class GoodSide(QWidget):
    """Follows `leader` and leads it: one pan and one zoom for both, `here` of the leader beside `there` of the shot. `words`
    belong over both, so that both are equally high."""

    def __init__(self, leader: ImageView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._leader = leader
        self._following = False
        self.here: Point = (0.5, 0.5)
        self.there: Point = (0.5, 0.5)
        self.view = _Follower()
        self.view.set_overlay(False)
        self.view.setAccessibleName("Nearest good shot")
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setContentsMargins(12, 8, 12, 8)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.words.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.view, 1)
        leader.view_changed.connect(lambda: self._follow(leader, self.view))
        self.view.view_changed.connect(self._lead)

    def show_shot(self, shot: GoodShot | None) -> None:
        """The shot that is most like the image as a whole; None where there is none."""
        if shot is None:
            self.show_message("No good shot to compare with." if self._leader.picture is not None else "")
        else:
            self._show(shot, f"Nearest good shot: {' '.join(shot.name.split())}", "")

    def show_patch(self, shot: GoodShot, here: Box, there: Box, words: str, place: bool = False) -> None:
        """What of a shot, or of a `place` that was called no defect, resembles the place `here` of the image most lies `there`;
        `words` over it. Boxes in shares."""
        note = f"Most alike in “{' '.join(shot.name.split())}”{', called no defect' if place else ''}"
        self._show(shot, note, words, _middle(here), _middle(there))
        self.view.set_mark(there)

    def show_message(self, text: str) -> None:
        """`text` in place of a shot."""
        self.words.hide()
        self.view.show_message(text)

    def cover(self) -> Cover | None:
        """What is shown here, to be shown in place of the image; None where there is no shot."""
        shown = self.view.picture
        return None if shown is None else Cover(shown, self.here, self.there, self.view.note)

    def _show(
        self, shot: GoodShot, note: str, words: str, here: Point = (0.5, 0.5), there: Point = (0.5, 0.5)
    ) -> None:
        self.here, self.there = here, there
        self._following = True  # its own fit must not move the image
        self.words.setText(words)
        self.words.setVisible(bool(words))
        self.view.show_picture(shot.picture, note=note)
        self._following = False
        self._follow(self._leader, self.view)

    def _lead(self) -> None:
        if not self.view.resizing:  # the image fits itself into the room it has
            self._follow(self.view, self._leader)

    def _follow(self, one: ImageView, other: ImageView) -> None:
        """The same part of both, by shares of the image, whatever their sizes."""
        if self._following or not self.isVisible() or one.picture is None or other.picture is None:
            return
        self._following = True
        scale, x, y = one.view()
        sign = 1 if one is self._leader else -1
        x, y = (at + sign * (b - a) for at, a, b in zip((x, y), self.here, self.there, strict=True))
        other.set_view(scale * one.picture.width / other.picture.width, x, y)
        self._following = False


def _middle(box: Box) -> Point:
    return box[0] + box[2] / 2, box[1] + box[3] / 2
