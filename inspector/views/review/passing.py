"""Before thresholds let parts pass that were NG, somebody says yes to their number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMessageBox, QWidget

from inspector.domain import Decision, Thresholds
from inspector.verdicts.provenance import number
from inspector.views.review.warning_box import ask

if TYPE_CHECKING:
    from inspector.records.project import Project
    from inspector.views.shared.context import WindowContext


@dataclass(frozen=True, slots=True)
class Passed:
    """Stored results that would become OK: `ng` of them are NG now, `calibrated` only by the thresholds that teaching
    found. `every`: results of the class by this detector, 0 where none would. `before`: the thresholds in force."""

    ng: int
    calibrated: int
    every: int
    before: Thresholds | None


def count_passed(project: Project, detector_id: int, class_id: int, after: Thresholds) -> Passed:
    """What a person has judged stays as it is and isn't counted. Some milliseconds: for a worker."""
    from inspector.records.inspected.results import count_results
    from inspector.records.result_filter import ResultFilter
    from inspector.records.thresholds import list_calibrated, list_thresholds

    row = list_thresholds(project, detector_id).get(class_id)
    first = list_calibrated(project, detector_id).get(class_id)
    every = ResultFilter(detector_id=detector_id, class_id=class_id)
    below = replace(every, reviewed=False, score_to=after.review)
    ng = calibrated = 0
    if row is not None and after.review > row.thresholds.strictest:
        ng = count_results(project, replace(below, verdict=Decision.NG)).total
    if first is not None and after.review > first.strictest:
        held = replace(below, verdict=Decision.REVIEW, score_from=first.strictest)
        calibrated = count_results(project, held).total
    total = count_results(project, every).total if ng or calibrated else 0
    return Passed(ng, calibrated, total, row.thresholds if row else None)


class PassingQuestion:
    """`ask` before thresholds are stored; `box` while it waits for an answer."""

    def __init__(self, context: WindowContext, parent: QWidget) -> None:
        self.context = context
        self.box: QMessageBox | None = None
        self._parent = parent
        self._asked = 0

    def ask(
        self,
        detector_id: int,
        class_id: int,
        after: Thresholds,
        yes: Callable[[], None],
        no: Callable[[], None],
    ) -> None:
        """`yes()` at once where nothing passes; `no()` too where another question came before this one was counted."""
        self._asked += 1
        number = self._asked

        def count(project: Project) -> Passed:
            return count_passed(project, detector_id, class_id, after)

        def counted(found: Passed) -> None:
            if number != self._asked:
                no()
            elif found.ng or found.calibrated:
                self._open(found, after, yes, no)
            else:
                yes()

        def failed(error: BaseException) -> None:
            self.context.show_error(error)
            no()

        self.context.query(self._parent, count, counted, failed=failed)

    def _open(
        self, found: Passed, after: Thresholds, yes: Callable[[], None], no: Callable[[], None]
    ) -> None:
        count = found.ng + found.calibrated
        parts = f"{count:,} of {found.every:,} parts" if found.every != 1 else "The only part"
        words = f"{parts} would turn from NG to OK."
        before = found.before
        never = before is not None and not before.calls_ng
        if never:
            words = f"{parts} would turn from review to OK."
        elif found.calibrated:
            words = f"{parts}, NG by the calibrated thresholds, would turn to OK."
        title = "Let parts pass that are held back?" if never else "Let NG parts pass?"
        moved = ""
        if before is not None:
            moved = f"Review from {before.review:.3f} becomes {after.review:.3f}. "
            if before.ng != after.ng:
                moved = f"NG from {number(before.ng)} becomes {number(after.ng)}. {moved}"
        more = f"{moved}Parts that score below {after.review:.3f} pass from then on, new ones too."

        def answered(let: bool) -> None:
            self.box = None
            (yes if let else no)()

        self.box = ask(
            self._parent,
            (title, words, more),
            ("Let them pass", "Leave thresholds as they were"),
            answered,
        )
