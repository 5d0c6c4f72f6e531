"""Whether pictures of another product are told apart in a class: somebody sees what would change, and agrees, before it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMessageBox, QWidget

from inspector.domain import Decision, Deed
from inspector.views.look import theme
from inspector.views.review import golden_gate
from inspector.views.review.golden_gate import GoldenGate, Outlook
from inspector.views.review.warning_box import ask
from inspector.views.shared.undo import Steps, Work

if TYPE_CHECKING:
    from inspector.records.inspected.results import ResultRow
    from inspector.records.project import Project
    from inspector.views.shared.context import WindowContext

Changes = Mapping[tuple[Decision, Decision], int]


class ProductEdits:
    """`signed(then, left)`: as in `VerdictEdits`. `box` while it waits for an answer."""

    def __init__(
        self,
        context: WindowContext,
        golden: GoldenGate,
        signed: Callable[[Callable[[str], None], Callable[[], None]], None],
        parent: QWidget,
    ) -> None:
        self.context, self._golden, self._signed, self._parent = context, golden, signed, parent
        self.box: QMessageBox | None = None
        self._asked = 0
        self._steps = Steps(context, self._changed, parent)

    def ask(self, row: ResultRow, asked: bool, then: Callable[[int], None]) -> None:
        """In the class and by the detector of a result, as one step: `then(result)` brings it in sight at undo. Where verdicts would
        change somebody has to agree, where golden parts would be judged otherwise than they must be, to sign; at undo and redo
        too."""
        detector_id, class_id = row.detector_id, row.class_id or 0
        look = partial(golden_gate.of_product, detector_id=detector_id, class_id=class_id)
        signature = ["", ""]  # who, and why golden parts may be judged otherwise than they must be
        what = f"Other products {_words(asked)} in {row.class_name}"

        def put(now: bool, *, asks: bool = False) -> Work:
            def write(project: Project) -> int | Outlook:
                from inspector.records.inspected.products import ask_product

                with project.writing():
                    if asks and (found := look(project, now=now)).missed:
                        return found
                    changed = ask_product(project, detector_id, class_id, now, who=signature[0])
                    occasion = f"Other products {_words(now)}"
                    golden_gate.keep_record(project, detector_id, [class_id], occasion, *signature)
                    return changed

            return write

        def agree(now: bool, yes: Callable[[], None], no: Callable[[], None]) -> None:
            """About what is stored, then about golden parts."""

            def sign_for(why: str) -> None:
                signature[:] = self.context.who or signature[0], why
                yes()

            begins = "With this" if now else "Without this"
            golden = partial(self._golden.ask, begins, partial(look, now=now), sign_for, no)
            self._question(row, now, golden, no)

        def ask_again(back: bool, yes: Callable[[], None], no: Callable[[], None]) -> None:
            agree(asked is not back, yes, no)

        def store(*, asks: bool) -> None:
            def written(value: object) -> None:
                if isinstance(value, Outlook):  # the golden set was changed meanwhile
                    self._golden.show("With this" if asked else "Without this", value, again, _nothing)
                    return
                self._steps.done(what, put(asked), put(not asked), partial(then, row.id), ask_again)
                self._changed(value)
                count = value if isinstance(value, int) else 0
                words = f"{what}: {count:,} verdict{'' if count == 1 else 's'} changed."
                self.context.toast(words, self.context.undo.undo)

            def again(why: str) -> None:
                signature[:] = self.context.who or signature[0], why
                store(asks=False)

            self._steps.write(put(asked, asks=asks), written)

        def signed(who: str) -> None:
            signature[0] = who
            store(asks=not signature[1])

        if self.context.writable() is not None and self.context.may(Deed.THRESHOLDS):
            agree(asked, lambda: self._signed(signed, _nothing), _nothing)

    def _question(self, row: ResultRow, asked: bool, yes: Callable[[], None], no: Callable[[], None]) -> None:
        """`yes()` at once where no stored verdict would change."""
        self._asked += 1
        number = self._asked

        def read(project: Project) -> Changes:
            from inspector.records.inspected.products import product_flips

            return product_flips(project, row.detector_id, row.class_id or 0, asked)

        def found(changes: Changes) -> None:
            if number != self._asked or self.box is not None:
                no()
            elif changes:
                self._open(row.class_name, changes, asked, yes, no)
            else:
                yes()

        def failed(error: BaseException) -> None:
            self.context.show_error(error)
            no()

        if not self.context.query(self._parent, read, found, failed=failed):
            no()

    def _open(
        self, name: str, changes: Changes, asked: bool, yes: Callable[[], None], no: Callable[[], None]
    ) -> None:
        told = "; ".join(
            f"{count:,} from {theme.WORDS[before]} to {theme.WORDS[after]}"
            for (before, after), count in sorted(changes.items(), key=lambda item: -item[1])
        )
        count = sum(changes.values())
        parts = "1 verdict" if count == 1 else f"{count:,} verdicts"
        passed = sum(one for (_, after), one in changes.items() if after is Decision.OK)
        title = "Let parts of another product pass?" if passed else "Change verdicts?"
        more = (
            f"What looks unlike the shots of {name} is not this product from then on, new parts too."
            if asked
            else f"Parts that look unlike the shots of {name} are judged by their scores from then on, new ones too."
        )

        def answered(let: bool) -> None:
            self.box = None
            (yes if let else no)()

        goes = "Tell them apart" if asked else "Judge them by their scores"
        words = title, f"{parts} would change: {told}.", more
        self.box = ask(self._parent, words, (goes, "Leave it as it is"), answered)

    def _changed(self, _value: object) -> None:
        self.context.results_changed.emit()
        self.context.golden_changed.emit()


def _words(asked: bool) -> str:
    return "told apart" if asked else "no longer told apart"


def _nothing() -> None:
    pass
