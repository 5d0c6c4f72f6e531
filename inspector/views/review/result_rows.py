"""Results in order and what was read of them, without Qt: all ids at once (one array), rows a block at a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inspector.domain import Decision, Thresholds
from inspector.verdicts.judge import decide

if TYPE_CHECKING:
    from inspector.records.inspected.results import ResultRow
    from inspector.records.thresholds import ThresholdMove

BLOCK = 100
_KEPT = 4000


class ResultRows:
    """`row` gives what is known and notes what is missing; `blocks_to_read` tells what to read then, `put` takes it.

    What rows say may get old (`age`): old rows are shown until new ones are read.
    """

    def __init__(self) -> None:
        self.ids: NDArray[np.int64] = np.empty(0, np.int64)
        self.age = 0
        self._order: NDArray[np.intp] = np.empty(0, np.intp)  # places, ascending by id
        self._rows: OrderedDict[int, tuple[int, ResultRow]] = OrderedDict()  # id → (age when read, row)
        self._missing: set[int] = set()  # blocks to read next
        self._coming: set[int] = set()  # blocks that are being read
        self._live: dict[tuple[int, int], Thresholds] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def place(self, result_id: int) -> int:
        """Where a result is, -1 if it is not among them."""
        at = int(np.searchsorted(self.ids, result_id, sorter=self._order))
        if at == len(self.ids) or self.ids[self._order[at]] != result_id:
            return -1
        return int(self._order[at])

    def grows_to(self, ids: NDArray[np.int64]) -> bool:
        """Whether `ids` only append to those that are here."""
        return len(ids) >= len(self.ids) and bool(np.array_equal(ids[: len(self.ids)], self.ids))

    def take(self, ids: NDArray[np.int64], order: NDArray[np.intp]) -> None:
        """Hold other ids; `order`: what sorts them, made where they were read."""
        if self.grows_to(ids):
            self._coming.discard(len(self.ids) // BLOCK)  # that block has grown
        else:
            self._coming.clear()
            self._missing.clear()
        self.ids, self._order = ids, order

    def clear(self) -> None:
        self._rows.clear()
        self._live.clear()

    def grow_old(self) -> None:
        """What rows say may have changed (a review, a threshold)."""
        self.age += 1
        self._coming.clear()

    def judge_anew(self, move: ThresholdMove) -> None:
        """Thresholds were moved for good: what rows say of their verdicts follows."""
        for result_id, (age, row) in self._rows.items():
            self._rows[result_id] = (age, row.after(move))
        if self._coming:
            self.grow_old()  # what is being read may be from before

    def row(self, place: int) -> ResultRow | None:
        """The row at a place, None until it was read."""
        if not 0 <= place < len(self.ids):
            return None
        result_id = int(self.ids[place])
        age, found = self._rows.get(result_id, (-1, None))
        if age != self.age:
            self._missing.add(place // BLOCK)
        else:
            self._rows.move_to_end(result_id)
        return found

    @property
    def missing(self) -> bool:
        return bool(self._missing)

    def blocks_to_read(self) -> list[tuple[int, list[int]]]:
        """(block, ids whose rows are missing or old), each handed out once."""
        blocks, self._missing = self._missing - self._coming, set()
        self._coming |= blocks
        found = []
        for block in sorted(blocks):
            ids = self.ids[block * BLOCK : (block + 1) * BLOCK].tolist()
            found.append((block, [i for i in ids if self._rows.get(i, (-1, None))[0] != self.age]))
        return found

    def put(self, block: int, age: int, rows: Sequence[ResultRow]) -> tuple[int, int] | None:
        """Rows of a block that were asked for at `age`. First and last place that may look otherwise now."""
        if age == self.age:
            self._coming.discard(block)
        for row in rows:
            self._rows[row.id] = (age, row)
        while len(self._rows) > _KEPT:
            self._rows.popitem(last=False)
        first, last = block * BLOCK, min((block + 1) * BLOCK, len(self.ids)) - 1
        return (first, last) if last >= first else None

    def set_live(self, detector_id: int, class_id: int, thresholds: Thresholds | None) -> None:
        """Judge a class by thresholds that are still moving; None ends that."""
        if thresholds is None:
            self._live.pop((detector_id, class_id), None)
        else:
            self._live[detector_id, class_id] = thresholds

    def verdict(self, row: ResultRow) -> Decision | None:
        """What counts: a person's word, else the decision by the thresholds in force or still moving."""
        if row.override is not None or row.verdict is None or row.image_score is None or row.class_id is None:
            return row.verdict
        live = self._live.get((row.detector_id, row.class_id))
        return decide(row.image_score, live, row.decision is Decision.OTHER) if live else row.verdict
