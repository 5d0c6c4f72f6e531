"""Reviews and thresholds: signed, written off the GUI thread one after the other, each can be undone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from inspector.domain import Decision, Deed, Thresholds
from inspector.views.look import theme
from inspector.views.review import golden_gate
from inspector.views.review.golden_gate import GoldenGate, Outlook
from inspector.views.review.name_dialog import NameDialog
from inspector.views.review.passing import PassingQuestion
from inspector.views.review.product_edits import ProductEdits
from inspector.views.shared.undo import Steps, Work

if TYPE_CHECKING:
    from inspector.records.inspected.results import ResultRow
    from inspector.records.project import Project
    from inspector.records.qualification.golden import GoldenChange
    from inspector.records.thresholds import ThresholdMove
    from inspector.views.shared.context import WindowContext

_THEN = "With these thresholds"


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Review:
    """One word on several results."""

    result_ids: tuple[int, ...]
    decision: Decision
    reason: str = ""
    defect_type: str = ""


@dataclass(frozen=True, slots=True)
class ThresholdChange:
    """`calibrated`: what teaching found. `result_id`: the image at which they were moved, 0 for none. `proposed`: Inspector
    found them, and a person saw what they change."""

    detector_id: int
    class_id: int
    before: Thresholds
    after: Thresholds
    calibrated: Thresholds | None = None
    result_id: int = 0
    proposed: bool = False

    @property
    def may_pass(self) -> bool:
        """Whether a part can turn from NG to OK by it, or, where nothing is NG, from review."""
        lowest = min(one.strictest for one in (self.before, self.calibrated) if one is not None)
        return self.after.review > lowest


class _Joining:
    """The images of results (id → OK or NG) join the golden set, and leave it again. `change`: once they have."""

    change: GoldenChange

    def __init__(self, words: Mapping[int, Decision], who: str) -> None:
        self._words, self._who, self._joined = words, who, False

    def put(self, project: Project) -> None:
        from inspector.records.qualification.golden import add_golden, switch_golden

        if self._joined:
            switch_golden(project, on=self.change.added, off=self.change.removed)
        else:
            self.change = add_golden(project, self._words, who=self._who)
            self._joined = True

    def back(self, project: Project) -> None:
        from inspector.records.qualification.golden import switch_golden

        switch_golden(project, on=self.change.removed, off=self.change.added)


class VerdictEdits:
    """`review` and `set_thresholds` write and then put a step on the project's undo stack, signed by the name in the
    preferences, which is asked for when there is none yet (`asking`). Undo and redo bring the result concerned in
    sight on `page`."""

    def __init__(self, context: WindowContext, page: str, parent: QWidget) -> None:
        self.context, self.page = context, page
        self.asking: NameDialog | None = None
        self.passing = PassingQuestion(context, parent)
        self.golden = GoldenGate(context, parent)
        self._parent = parent
        self._reviews = Steps(context, lambda _value: context.results_changed.emit(), parent)
        self._defects = Steps(context, self._defect_called, parent)
        self._golden = Steps(context, lambda _value: context.golden_changed.emit(), parent)
        self._thresholds = Steps(context, self._thresholds_changed, parent)
        self.products = ProductEdits(context, self.golden, self.signed, parent)

    def review(
        self, reviews: Sequence[Review], toast: str = "", begun: Callable[[], None] = _nothing
    ) -> None:
        """A person's words on results, one step together. `begun`: once it is sure that they will be written."""
        ids = [result_id for one in reviews for result_id in one.result_ids]
        if ids:
            self.signed(partial(self._review, tuple(reviews), ids, toast, begun), _nothing)

    def set_thresholds(
        self, move: ThresholdChange, begun: Callable[[], None], left: Callable[[], None]
    ) -> None:
        """`begun`: once it is sure that they will be written; `left`: when nothing is written after all. Where parts
        that were NG would pass, somebody has to say yes to their number, and where golden parts would be judged otherwise than
        they must be, to sign for it; at undo and redo too."""
        if move.before == move.after:
            return

        look = partial(golden_gate.of_thresholds, detector_id=move.detector_id, class_id=move.class_id)
        signature = ["", ""]  # who moves them, and why golden parts may be judged otherwise than they must be

        def sign_for(why: str) -> None:
            signature[:] = self.context.who or signature[0], why

        def put(thresholds: Thresholds, *, asks: bool = False) -> Work:
            """`asks`: nothing is written where somebody has to sign first."""

            def write(project: Project) -> ThresholdMove | Outlook:
                from inspector.records.thresholds import set_thresholds

                with project.writing():
                    if asks and (found := look(project, now=thresholds)).missed:
                        return found
                    of = move.detector_id, move.class_id
                    made = set_thresholds(project, *of, thresholds, who=signature[0], proposed=move.proposed)
                    golden_gate.keep_record(project, of[0], [of[1]], "Thresholds moved", *signature)
                    return made

            return write

        def ask(back: bool, yes: Callable[[], None], no: Callable[[], None]) -> None:
            """Before it is undone or done again: about the parts that pass, then about the golden ones."""
            now = move.before if back else move.after

            def go_on(why: str) -> None:
                sign_for(why)
                yes()

            golden = partial(self.golden.ask, _THEN, partial(look, now=now), go_on, no)
            self.passing.ask(move.detector_id, move.class_id, now, golden, no)

        def store(*, asks: bool) -> None:
            def written(value: object) -> None:
                if isinstance(value, Outlook):
                    self.golden.show(_THEN, value, again, left)
                    return
                back = put(move.before)
                place = partial(self._place, move.result_id)
                self._thresholds.done("Move of the thresholds", put(move.after), back, place, ask)
                self._thresholds.changed(value)

            def again(why: str) -> None:
                sign_for(why)
                store(asks=False)

            self._thresholds.write(put(move.after, asks=asks), written)

        def signed(who: str) -> None:
            begun()
            signature[0] = who
            store(asks=True)

        def sign() -> None:
            self.signed(signed, left)

        if self.context.writable() is None or not self.context.may(Deed.THRESHOLDS):
            left()
        elif move.may_pass and not move.proposed:
            self.passing.ask(move.detector_id, move.class_id, move.after, sign, left)
        else:
            sign()

    def ask_product(self, row: ResultRow, asked: bool) -> None:
        """Whether pictures of another product are told apart, in the class and by the detector of a result; see `ProductEdits`."""
        self.products.ask(row, asked, self._place)

    def call_golden(self, result_ids: Sequence[int], expected: Decision) -> None:
        """Take the images of results into the golden set: they must always be judged so."""

        def add(who: str) -> None:
            joined = _Joining(dict.fromkeys(result_ids, expected), who)

            def told(_value: object) -> None:
                count, out = len(joined.change.added), joined.change.left_out
                left = f" {out} left out: shots, or without a class." if out else ""
                if not count:
                    self.context.toast(f"It is in the golden set already.{left}")
                    return
                parts = "1 part" if count == 1 else f"{count} parts"
                self._golden.done(f"Golden set: {parts}", joined.put, joined.back)
                self.context.golden_changed.emit()
                words = f"{parts} in the golden set: must always be {theme.WORDS[expected]}.{left}"
                self.context.toast(words, self.context.undo.undo)

            self._golden.write(joined.put, told)

        if self.context.may(Deed.GOLDEN):
            self.signed(add, _nothing)

    def call_defect(self, row: ResultRow, then: Callable[[], None]) -> None:
        """A part that was missed: NG by a person's word, and in the golden set from now on, in one step. `then`: once stored."""
        written: list[int] = []

        def add(who: str) -> None:
            joined = _Joining({row.id: Decision.NG}, who)

            def put(project: Project) -> None:
                from inspector.records.reviews import add_review

                with project.writing():
                    joined.put(project)
                    written[:] = add_review(
                        project,
                        [row.id],
                        Decision.NG,
                        who=who,
                        reason=row.reason,
                        defect_type=row.defect_type,
                    )

            def back(project: Project) -> None:
                from inspector.records.reviews import withdraw_review

                with project.writing():
                    withdraw_review(project, written, who=who)
                    joined.back(project)

            def told(value: object) -> None:
                self._defects.done(f"“{row.name}” is a defect", put, back, partial(self._place, row.id))
                self._defect_called(value)
                words = "A defect: NG by your word, and a golden part that must not pass from now on."
                self.context.toast(words, self.context.undo.undo)
                then()

            self._defects.write(put, told)

        if self.context.may(Deed.GOLDEN):
            self.signed(add, _nothing)

    def _defect_called(self, _value: object) -> None:
        self.context.results_changed.emit()
        self.context.golden_changed.emit()

    def undo(self) -> None:
        stack = self.context.undo
        if stack.canUndo():
            text, index = stack.undoText(), stack.index()
            stack.undo()
            if stack.index() == index:  # it asks first
                return
            self.context.toast(f"Undone: {text[0].lower()}{text[1:]}.")

    def _review(
        self, words: tuple[Review, ...], ids: list[int], toast: str, begun: Callable[[], None], who: str
    ) -> None:
        written: list[int] = []  # the rows that count now

        def add(project: Project) -> None:
            from inspector.records.reviews import NewReview, add_reviews

            every = [
                NewReview(result_id, one.decision, one.reason, one.defect_type)
                for one in words
                for result_id in one.result_ids
            ]
            written[:] = add_reviews(project, every, who=who)

        def withdraw(project: Project) -> None:
            from inspector.records.reviews import withdraw_review

            withdraw_review(project, written, who=who)

        decisions = {one.decision for one in words}
        how = f" as {theme.WORDS[words[0].decision]}" if len(decisions) == 1 else ""
        many = f"{len(ids):,} results" if len(ids) > 1 else "a result"
        self._reviews.do(
            f"Review of {many}{how}",
            add,
            withdraw,
            toast or f"{many.capitalize()} reviewed{how}.",
            partial(self._place, ids[0]),
        )
        begun()

    def _place(self, result_id: int) -> None:
        if result_id:
            self.context.show_result(result_id, self.page)

    def signed(self, then: Callable[[str], None], left: Callable[[], None]) -> None:
        """`then(name)`; or `left()`, where nothing may be written or nobody gives a name."""
        if self.context.writable() is None:
            left()
        elif self.context.who:
            then(self.context.who)
        elif self.asking is None:
            project = self.context.project

            def answered(_result: int) -> None:
                self.asking = None
                self._parent.window().activateWindow()
                name = self.context.settings.reviewer
                if name and self.context.project is project:
                    then(name)
                else:
                    left()

            self.asking = NameDialog(self.context, self._parent)
            self.asking.finished.connect(answered)
            self.asking.open()

    def _thresholds_changed(self, move: ThresholdMove | None) -> None:
        if move is not None:
            self.context.thresholds_moved.emit(move)
        else:
            self.context.results_changed.emit()
