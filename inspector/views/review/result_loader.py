"""What the viewer shows of a result, read and prepared off the GUI thread, neighbours ahead of time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from inspector.errors import InspectorError
from inspector.verdicts.regions import on_score_scale
from inspector.views.viewer.picture import Picture, picture

if TYPE_CHECKING:
    from inspector.records.inspected.results import ResultDetail, ResultRow
    from inspector.records.project import Project
    from inspector.records.thresholds import ThresholdMove
    from inspector.views.shared.context import WindowContext

UNAVAILABLE = "heatmap unavailable"
_BUDGET = 700 << 20  # bytes of pictures kept


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """`picture` None: the image can't be shown, `trouble` says why. `values`: the map on the scale of the image
    score, None: no map, as `note` says; it also says what people should know of how the image was read."""

    picture: Picture | None
    values: NDArray[np.float32] | None
    trouble: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    detail: ResultDetail
    pixels: Pixels


def read_pixels(row: ResultRow) -> Pixels:
    """Decode the image and load the map of a result. Never raises for a bad file: the sentence is in the answer."""
    from inspector.images.read import read

    if row.files.thumbnail is not None and not row.error:
        return _remains(row)
    if row.error or row.path is None:
        return Pixels(None, None, f"{row.error or 'This image was not kept.'}\n{row.hint}".strip())
    try:
        image = read(row.path, white=row.white)
        made = picture(image.pixels, row.name)
    except InspectorError as error:
        return Pixels(None, None, f"{error.message}\n{error.hint}".strip())
    return _with_map(row, made, image.note[:1].upper() + image.note[1:])


def _with_map(row: ResultRow, made: Picture, said: str) -> Pixels:
    from inspector.records.files import read_map

    if row.map_path is not None:
        with suppress(OSError, ValueError):
            values = read_map(row.map_path)
            score = row.image_score
            return Pixels(made, values if score is None else on_score_scale(values, score), note=said)
    return Pixels(made, None, note=" · ".join(filter(None, (UNAVAILABLE, said))))


def _remains(row: ResultRow) -> Pixels:
    """What is left of an image that was let go, as large as that was, so that regions lie where they lay."""
    from inspector.images.read import read
    from inspector.images.thumbnail import enlarged

    left = row.files.thumbnail
    assert left is not None
    try:
        pixels = enlarged(read(left).pixels, row.size)
    except InspectorError:
        said = f"{row.files.trouble.split(';')[0]}, and its thumbnail can't be read."
        return Pixels(None, None, said)
    return _with_map(row, picture(pixels, row.name), row.files.trouble)


class ResultLoader(QObject):
    """`fetch` a result for the screen; pictures are kept while there is room, details until something changes."""

    def __init__(self, context: WindowContext, parent: QObject) -> None:
        super().__init__(parent)
        self._context = context
        self._pixels: OrderedDict[int, Pixels] = OrderedDict()
        self._details: dict[int, ResultDetail] = {}
        self._coming: set[int] = set()
        self._state = self._epoch = 0
        self._wanted = -1
        self._near: frozenset[int] = frozenset()  # worth decoding; the rest was passed by
        self._done: Callable[[Shown], None] | None = None
        self._failed: Callable[[BaseException], None] | None = None

    def fetch(
        self, result_id: int, done: Callable[[Shown], None], failed: Callable[[BaseException], None]
    ) -> None:
        """`done` is called at once when everything is here. A later fetch takes the place of this one."""
        self._wanted, self._done, self._failed = result_id, done, failed
        self._near = frozenset([result_id])
        if not self._deliver(result_id):
            self._read(result_id, priority=10)

    def ahead(self, result_ids: Iterable[int]) -> None:
        """Read these too, when there is nothing more urgent."""
        near = list(result_ids)
        self._near = frozenset([self._wanted, *near])
        for place, result_id in enumerate(near):
            if result_id not in self._pixels or result_id not in self._details:
                self._read(result_id, priority=-1 - place)

    def details_changed(self) -> None:
        """Reviews or thresholds are others now; the pictures are not."""
        self._details.clear()
        self._coming.clear()
        self._state += 1

    def judge_anew(self, move: ThresholdMove) -> None:
        """Thresholds were moved for good: details follow without being read again."""
        kept = {result_id: detail.after(move) for result_id, detail in self._details.items()}
        self.details_changed()  # what is being read may be from before
        self._details = kept

    def clear(self) -> None:
        self.details_changed()
        self._epoch += 1
        self._pixels.clear()
        self._wanted, self._done, self._failed = -1, None, None

    def _deliver(self, result_id: int) -> bool:
        detail, pixels = self._details.get(result_id), self._pixels.get(result_id)
        if detail is None or pixels is None:
            return False
        self._pixels.move_to_end(result_id)
        if result_id == self._wanted and self._done is not None:
            done, self._done = self._done, None
            done(Shown(detail, pixels))
        return True

    def _read(self, result_id: int, priority: int) -> None:
        if self._context.project is None or (result_id in self._coming and priority < 0):
            return
        self._coming.add(result_id)
        state, epoch, kept = self._state, self._epoch, self._pixels.get(result_id)

        def look(project: Project) -> tuple[ResultDetail, Pixels] | None:
            from inspector.records.inspected.results import find_result

            if result_id not in self._near:
                return None
            detail = find_result(project, result_id)
            return detail, kept or read_pixels(detail.row)

        def done(found: tuple[ResultDetail, Pixels] | None) -> None:
            if found is None or epoch != self._epoch:  # passed by, or from before all was forgotten
                self._coming.discard(result_id)
                if result_id == self._wanted and self._done is not None:
                    self._read(result_id, priority=10)
                return
            self._pixels[result_id] = found[1]
            self._pixels.move_to_end(result_id)
            if state == self._state:
                self._coming.discard(result_id)
                self._details[result_id] = found[0]
                self._deliver(result_id)
            elif result_id == self._wanted and self._done is not None:
                self._read(result_id, priority=10)
            self._make_room()

        def failed(error: BaseException) -> None:
            self._coming.discard(result_id)
            if result_id == self._wanted and self._failed is not None:
                self._failed(error)

        self._context.query(self, look, done, failed=failed, priority=priority)

    def _make_room(self) -> None:
        def size(pixels: Pixels) -> int:
            return pixels.picture.nbytes if pixels.picture else 0

        total = sum(size(pixels) for pixels in self._pixels.values())
        while total > _BUDGET and len(self._pixels) > 1:
            oldest = next(iter(self._pixels))
            if oldest == self._wanted:
                self._pixels.move_to_end(oldest)
                oldest = next(iter(self._pixels))
            total -= size(self._pixels.pop(oldest))
