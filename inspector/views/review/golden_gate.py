"""Before a change makes golden parts be judged otherwise than they must be, somebody signs for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QLineEdit, QVBoxLayout, QWidget

from inspector.views.look import theme
from inspector.views.look.kit import fill, word_table
from inspector.views.look.labels import wrapped
from inspector.views.review.name_dialog import keep_name

if TYPE_CHECKING:
    from inspector.domain import Thresholds
    from inspector.records.project import Project
    from inspector.records.qualification.golden import GoldenWord
    from inspector.views.shared.context import WindowContext


@dataclass(frozen=True)
class Outlook:
    """What a change would do to the golden set. `missed`: parts judged otherwise than they must be that aren't now. `unscored`: so
    many that nobody knows of; `total`: parts that it concerns."""

    missed: Sequence[GoldenWord]
    unscored: int
    total: int


def of_thresholds(project: Project, *, detector_id: int, class_id: int, now: Thresholds) -> Outlook:
    """Of other thresholds for a detector and class. For a worker."""
    from inspector.records.qualification.golden import judge_golden, newly_missed

    before = judge_golden(project, detector_id, [class_id])
    after = judge_golden(project, detector_id, [class_id], {class_id: now}) if before else []
    return Outlook(newly_missed(before, after), sum(not word.scored for word in after), len(after))


def of_product(project: Project, *, detector_id: int, class_id: int, now: bool) -> Outlook:
    """Of telling other products apart in a class of a detector, or no longer. For a worker."""
    from inspector.records.qualification.golden import judge_golden, newly_missed

    before = judge_golden(project, detector_id, [class_id])
    after = judge_golden(project, detector_id, [class_id], asked={class_id: now}) if before else []
    return Outlook(newly_missed(before, after), sum(not word.scored for word in after), len(after))


def of_detector(project: Project, detector_id: int) -> Outlook:
    """Of putting a detector in charge. For a worker."""
    from inspector.records.detectors import find_detector

    return of_charges(project, dict.fromkeys(find_detector(project, detector_id).takes, detector_id))


def of_charges(project: Project, charged: Mapping[int, int]) -> Outlook:
    """Of letting these detectors judge (class id → detector). For a worker."""
    from inspector.records.qualification.golden import judge_golden, newly_missed

    before = judge_golden(project, class_ids=charged)
    after = [word for key, judge in charged.items() for word in judge_golden(project, judge, [key])]
    return Outlook(newly_missed(before, after), sum(not word.scored for word in after), len(after))


def keep_record(
    project: Project, detector_id: int, class_ids: Sequence[int], occasion: str, who: str, signed: str
) -> None:
    """What a detector says of the golden set of these classes since something was changed; nothing where there is none."""
    from inspector.records.qualification.checks import add_check
    from inspector.records.qualification.golden import judge_golden

    words = judge_golden(project, detector_id, class_ids)
    if words:
        add_check(project, words, occasion=f"{occasion}, detector #{detector_id}", who=who, signed=signed)


class GoldenGate:
    """`ask` before something is changed; `box` while it waits for an answer."""

    def __init__(self, context: WindowContext, parent: QWidget) -> None:
        self.context = context
        self.box: GoldenQuestion | None = None
        self._parent = parent
        self._asked = 0

    def ask(
        self,
        what: str,
        look: Callable[[Project], Outlook],
        yes: Callable[[str], None],
        no: Callable[[], None],
    ) -> None:
        """`yes(reason)` at once, with "", where no golden part changes for the worse; `no()` too where another question came
        before this one was looked at. `what` begins the sentence ("With these thresholds")."""
        self._asked += 1
        number = self._asked

        def looked(found: Outlook) -> None:
            if number != self._asked:
                no()
            elif found.missed:
                self.show(what, found, yes, no)
            else:
                yes("")

        def failed(error: BaseException) -> None:
            self.context.show_error(error)
            no()

        if not self.context.query(self._parent, look, looked, failed=failed):
            no()

    def show(self, what: str, found: Outlook, yes: Callable[[str], None], no: Callable[[], None]) -> None:
        """Ask for a signature; `no()` also where another question waits."""
        if self.box is not None:
            no()
            return
        box = self.box = GoldenQuestion(self.context, what, found, self._parent)

        def answered(result: int) -> None:
            self.box = None
            self._parent.window().activateWindow()
            reason = box.reason.text().strip()
            box.deleteLater()
            if result == QDialog.DialogCode.Accepted:
                yes(reason)
            else:
                no()

        box.finished.connect(answered)
        box.open()


class GoldenQuestion(QDialog):
    """Which parts, and why somebody goes on all the same: nothing without a name and a reason."""

    def __init__(self, context: WindowContext, what: str, found: Outlook, parent: QWidget) -> None:
        super().__init__(parent.window())
        self._context = context
        self.setWindowTitle("Golden parts would be judged otherwise")
        self.said = wrapped("heading")
        self.said.setText(
            f"{what}, {_parts(len(found.missed))} of {found.total} would not be judged as "
            f"{'it' if len(found.missed) == 1 else 'they'} must be."
        )
        self.table = word_table(
            ("Part", "Class", "Must be", "Would be", "Score"), "Golden parts that would change", 0
        )
        fill(self.table, [_line(word) for word in found.missed])
        self.table.setFixedHeight(min(6, 1 + len(found.missed)) * 31 + 12)
        rest = wrapped("small")
        rest.setText(f"{_parts(found.unscored)} nobody has scored yet." if found.unscored else "")
        rest.setVisible(bool(found.unscored))
        self.name = QLineEdit(context.who)
        self.name.setReadOnly(bool(context.signed_name))  # who gave her PIN signs as herself
        self.name.setPlaceholderText("Your name")
        self.name.setAccessibleName("Your name")
        self.reason = QLineEdit()
        self.reason.setPlaceholderText("Why it is right all the same, for the record")
        self.reason.setAccessibleName("Reason")
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.setTextFormat(Qt.TextFormat.PlainText)
        theme.set_role(self.problem, "error")
        self.problem.hide()
        buttons = QDialogButtonBox()
        self.sign = buttons.addButton("Sign and go on", QDialogButtonBox.ButtonRole.AcceptRole)
        self.leave = buttons.addButton("Leave it as it is", QDialogButtonBox.ButtonRole.RejectRole)
        self.leave.setDefault(True)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(8)
        for widget in (self.said, self.table, rest, self.name, self.reason, self.problem, buttons):
            column.addWidget(widget)
        self.resize(min(620, parent.window().width() - 40), self.sizeHint().height())
        for field in (self.name, self.reason):
            field.textChanged.connect(self._typed)
        self._typed()
        self.reason.setFocus()

    def _typed(self) -> None:
        self.sign.setEnabled(bool(self.name.text().strip() and self.reason.text().strip()))

    def accept(self) -> None:
        problem = "" if self._context.signed_name else keep_name(self._context, self.name.text())
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
        if not problem:
            super().accept()


def _parts(count: int) -> str:
    return "1 golden part" if count == 1 else f"{count} golden parts"


def _line(word: GoldenWord) -> tuple[str, ...]:
    said = theme.verdict_text(word.decision) if word.decision else word.error or "no verdict"
    score = "" if word.score is None else f"{word.score:.3f}"
    return word.part.name, word.part.class_name, theme.verdict_text(word.part.expected), said, score
