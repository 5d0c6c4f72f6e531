"""Accept and Override: how a person's word on one result, or on many, is asked for and put into words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QWidget

from inspector.domain import Decision
from inspector.views.look import theme
from inspector.views.review.review_popup import ReviewPopup
from inspector.views.review.verdict_edits import Review, VerdictEdits

if TYPE_CHECKING:
    from inspector.records.inspected.results import ResultRow
    from inspector.records.project import Project
    from inspector.records.reviews import ReviewRow
    from inspector.views.shared.context import WindowContext


def _nothing() -> None:
    pass


class Judging:
    """`accept` and `override` results; failed ones have no verdict and are passed over."""

    def __init__(self, context: WindowContext, page: str, parent: QWidget) -> None:
        self.context = context
        self.edits = VerdictEdits(context, page, parent)
        self._parent = parent
        self._asked: list[ResultRow] = []

    @cached_property
    def popup(self) -> ReviewPopup:
        """Made when it is first asked for: most visits to a page never do."""
        made = ReviewPopup(self._parent)
        made.decided.connect(self._decided)
        made.finished.connect(lambda _result: self._parent.window().activateWindow())  # keys go there again
        return made

    def accept(self, rows: Sequence[ResultRow], begun: Callable[[], None] = _nothing) -> None:
        """The verdicts are right as they are; an earlier person's reason and defect type stay. `begun`: once it is sure
        that this will be stored."""
        groups: dict[tuple[Decision, str, str], list[int]] = {}
        judged = [row for row in rows if row.verdict is not None]
        for row in judged:
            if row.verdict is not None:
                groups.setdefault((row.verdict, row.reason, row.defect_type), []).append(row.id)
        if len(judged) == 1 and judged[0].verdict is not None:
            words = f"{_short(judged[0].name)} accepted as {theme.WORDS[judged[0].verdict]}."
        else:
            words = f"{len(judged):,} results accepted as they are."
        self.edits.review([Review(tuple(ids), *key) for key, ids in groups.items()], words, begun)

    def override(self, rows: Sequence[ResultRow], place: QPoint, type_first: bool = False) -> None:
        """Ask for another verdict, a reason, a type of defect; the dialog's lower right corner at `place`."""
        judged = [row for row in rows if row.verdict is not None]
        if not judged or self.context.writable() is None:
            return

        many = len(judged) > 1

        def read(project: Project) -> tuple[list[str], str]:
            from inspector.records.inspected.results import list_defect_types
            from inspector.records.reviews import list_reviews

            said = "" if many else people_say(list_reviews(project, judged[0].id))
            return list_defect_types(project), said

        def ask(found: tuple[list[str], str]) -> None:
            types, said = found
            self._asked = judged
            self.popup.show_words(said)
            self.popup.ask(
                f"{len(judged):,} results" if many else _short(judged[0].name),
                {row.verdict for row in judged if row.verdict is not None},
                types,
                place,
                many=many,
                reason="" if many else judged[0].reason,
                defect_type="" if many else judged[0].defect_type,
                type_first=type_first,
            )

        self.context.query(self._parent, read, ask)

    def _decided(self, decision: Decision, reason: str, defect_type: str) -> None:
        rows, self._asked = self._asked, []
        if not rows:
            return
        name = f"{len(rows):,} results are" if len(rows) > 1 else f"{_short(rows[0].name)} is"
        words = f"{name} now {theme.WORDS[decision]}."
        if len(rows) == 1 and decision is rows[0].verdict:
            words = f"{_short(rows[0].name)} stays {theme.WORDS[decision]}."
            if defect_type != rows[0].defect_type:
                told = f"defect type “{defect_type}”" if defect_type else "no defect type"
                words = f"{_short(rows[0].name)}: {theme.WORDS[decision]}, {told}."
        self.edits.review([Review(tuple(row.id for row in rows), decision, reason, defect_type)], words)


def people_say(reviews: Sequence[ReviewRow]) -> str:
    """The newest standing word of each person on a result: "Ada: OK · Bo: NG"."""
    from inspector.records.reviews import newest_words

    said = [(one.who or "Somebody", one.decision) for one in newest_words(reviews)]
    return " · ".join(f"{who}: {theme.WORDS[decision]}" for who, decision in said if decision is not None)


def _short(name: str) -> str:
    name = " ".join(name.split())
    return name if len(name) <= 40 else f"{name[:20]}…{name[-18:]}"
