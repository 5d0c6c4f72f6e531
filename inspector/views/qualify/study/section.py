"""Studies of who judges how: people judge the same parts several times, blind, and the report compares them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QStackedWidget, QVBoxLayout

from inspector.views.look.empty import EmptyState
from inspector.views.look.kit import switch
from inspector.views.look.sections import Section
from inspector.views.qualify.study.judge import TRIALS, Judge
from inspector.views.qualify.study.new_study import NewStudy, Plan
from inspector.views.qualify.study.report import StudyReport
from inspector.views.qualify.study.study_list import StudyList
from inspector.views.review.verdict_edits import VerdictEdits
from inspector.views.shared.undo import Steps, Work

if TYPE_CHECKING:
    from inspector.records.project import Project
    from inspector.records.qualification.studies import StudyRow
    from inspector.views.shared.context import WindowContext


def _nothing() -> None:
    pass


class StudySection(Section):
    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self._project: Project | None = None
        self._edits = VerdictEdits(context, "qualify", self)
        self._steps = Steps(context, lambda _value: self._read(), self)
        self.empty = EmptyState(
            "study",
            "Find out who judges parts how: people judge the same parts several times without knowing what is right, "
            "and the report compares them with each other and with the detector.",
            "New study…",
            "An attribute agreement study, as automotive customers ask for (AIAG MSA). It takes parts that were reviewed.",
        )
        self.list = StudyList(context)
        self.form = NewStudy(context)
        self.judge = Judge(context)
        self.report = StudyReport(context)
        self.stack = QStackedWidget()
        for widget in (self.empty, self.list, self.form, self.judge, self.report):
            self.stack.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.stack)
        self.empty.button.clicked.connect(self.new)
        self.list.new.clicked.connect(self.new)
        self.list.judge.connect(self.begin)
        self.list.report.connect(self.show_report)
        self.list.ended.connect(self.end)
        self.list.removed.connect(self.remove)
        self.form.wanted.connect(self.add)
        self.form.left.connect(self._to_list)
        self.judge.left.connect(self._to_list)
        self.judge.finished.connect(self._finished)
        self.report.left.connect(self._to_list)

    @property
    def rows(self) -> list[StudyRow]:
        return [card.row for card in self.list.cards]

    def refresh(self) -> None:
        project = self.context.project
        if project is not self._project:
            self._project = project
            self.judge.stop()
            self.report.stop()
            self._show_rows([])
            self.stack.setCurrentWidget(self.empty)
        switch(self.empty.button, self.context.viewing_only)
        if self.stack.currentWidget() is self.judge:
            self.judge.take_focus()
        else:
            self._read()

    def export(self) -> bool:
        return self.stack.currentWidget() is self.report and self.report.export()

    def new(self) -> None:
        """The form for a new study."""
        self.stack.setCurrentWidget(self.form)
        self.form.open()

    def add(self, plan: Plan) -> None:
        """Begin a study, signed."""
        self._edits.signed(partial(self._add, plan), _nothing)

    def begin(self, study: StudyRow, appraiser: str) -> None:
        """Let somebody judge."""
        self.stack.setCurrentWidget(self.judge)
        self.judge.begin(study, appraiser)

    def show_report(self, study: StudyRow) -> None:
        self.stack.setCurrentWidget(self.report)
        self.report.show_study(study)

    def end(self, study: StudyRow) -> None:
        """Before everybody is done; can be undone."""
        from inspector.records.qualification.studies import close, reopen

        toast = f"“{study.title}” is ended: its report shows what was judged so far."
        self._steps.do("End of a study", _of(close, study.id), _of(reopen, study.id), toast)

    def remove(self, study: StudyRow) -> None:
        """Hide a study; can be undone."""
        from inspector.records.qualification.studies import remove, restore

        toast = f"“{study.title}” was removed."
        self._steps.do("Removal of a study", _of(remove, study.id), _of(restore, study.id), toast)

    def _add(self, plan: Plan, who: str) -> None:
        made: list[int] = []

        def add(project: Project) -> None:
            from inspector.records.qualification.studies import add_study, restore

            if made:
                restore(project, made[0])
            else:
                made.append(add_study(project, plan.title, plan.parts, plan.appraisers, plan.trials, who=who))

        def take_back(project: Project) -> None:
            from inspector.records.qualification.studies import remove

            remove(project, made[0])

        self._steps.do("New study", add, take_back)
        self.stack.setCurrentWidget(self.list)

    def _finished(self, study: StudyRow) -> None:
        if study.closed:
            self._read()
            self.show_report(study)
            return
        next_trial = study.turn(self.judge.appraiser)
        self.context.toast(
            f"The trial is done. The {TRIALS[next_trial]} is best judged on another day."
            if next_trial
            else "All trials of this person are done. The report comes when everybody is."
        )
        self._to_list()

    def _to_list(self) -> None:
        self.stack.setCurrentWidget(self.list if self.list.cards else self.empty)
        self._read()

    def _read(self) -> None:
        project = self.context.project
        if project is not None and not project.read_only:
            self.context.change(self, _list, self._show_rows)  # after the words that are still being stored
        else:
            self.context.query(self, _list, self._show_rows, latest="studies")

    def _show_rows(self, rows: list[StudyRow]) -> None:
        self.list.show_rows(rows)
        if self.stack.currentWidget() in (self.list, self.empty):
            self.stack.setCurrentWidget(self.list if rows else self.empty)


def _list(project: Project) -> list[StudyRow]:
    from inspector.records.qualification.studies import list_studies

    return list_studies(project)


def _of(change: Callable[[Project, int], None], study_id: int) -> Work:
    return lambda project: change(project, study_id)
