"""The pictures of the parts that are judged next, decoded off the GUI thread ahead of time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from inspector.views.viewer.picture import Picture, picture

if TYPE_CHECKING:
    from inspector.records.project import Project
    from inspector.records.qualification.studies import PartRow
    from inspector.views.shared.context import WindowContext


class Pictures(QObject):
    """Keeps what was wanted last, and no more. What can't be shown is a sentence in place of a picture."""

    arrived = Signal(int)  # the position of a part

    def __init__(self, context: WindowContext, parent: QObject) -> None:
        super().__init__(parent)
        self._context = context
        self._kept: dict[int, Picture | str] = {}
        self._coming: set[int] = set()
        self._round = 0

    def begin(self) -> None:
        """Forget all: other parts come now."""
        self._kept.clear()
        self._coming.clear()
        self._round += 1

    def get(self, position: int) -> Picture | str | None:
        """None while it is being read."""
        return self._kept.get(position)

    def want(self, parts: Sequence[PartRow]) -> None:
        """The part to show, then those that come after it."""
        wanted = {one.position for one in parts}
        self._kept = {position: kept for position, kept in self._kept.items() if position in wanted}
        for place, part in enumerate(parts):
            if part.position not in self._kept and part.position not in self._coming:
                self._coming.add(part.position)
                self._context.query(
                    self,
                    partial(_read, part),
                    partial(self._here, self._round, part.position),
                    failed=partial(self._failed, self._round, part.position),
                    priority=10 - place,
                )

    def _here(self, of_round: int, position: int, found: Picture | str) -> None:
        if of_round == self._round:
            self._coming.discard(position)
            self._kept[position] = found
            self.arrived.emit(position)

    def _failed(self, of_round: int, position: int, error: BaseException) -> None:
        self._here(of_round, position, str(error))


def _read(part: PartRow, _project: Project) -> Picture | str:
    from inspector.errors import ImageError
    from inspector.images.read import read

    try:
        image = read(part.path, white=part.white)
    except ImageError as error:
        return error.message
    if image.sha256 != part.sha256:
        return "it is no longer the image that the study began with."
    return picture(image.pixels)  # without its name: nobody must know which one it is
