"""What every page of the window shares: the open project, the runner, the settings, undo, and what changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, Signal

from inspector import settings as stored_settings
from inspector.errors import ProjectError, SettingsError
from inspector.settings import Settings
from inspector.views.shared.job_runner import JobRunner
from inspector.views.shared.stations import Stations
from inspector.views.shared.undo_stack import UndoStack

if TYPE_CHECKING:
    from inspector.domain import Deed, Role
    from inspector.records.project import Project
    from inspector.records.result_filter import ResultFilter, ResultSort

T = TypeVar("T")
_ELSEWHERE = "It is open elsewhere too: close it there, then open it here again."
_COPY = "Copy it to a place you may write to, and open the copy."


@dataclass(frozen=True, slots=True)
class ResultQuery:
    """Results in an order. `words` tell which, "" for a whole run or all."""

    where: ResultFilter
    sort: ResultSort
    descending: bool = False
    words: str = ""

    @property
    def by_verdict(self) -> bool:
        """Whether other verdicts make it other results, or another order."""
        return self.where.verdict is not None or self.sort == "verdict"

    @property
    def by_thresholds(self) -> bool:
        """Whether other thresholds make it another order, whichever verdict they give."""
        return self.sort == "doubt"


class WindowContext(QObject):
    """One per window. Signals carry no rows: who needs them asks for them with `query`.

    `undo`: what was done in the open project, whatever the page, and can be taken back one step after the other.
    """

    project_changed = Signal()  # another project, or None, is open
    classes_changed = Signal()  # classes or their shots
    detectors_changed = Signal()  # taught or chosen
    thresholds_moved = Signal(object)  # inspector.records.thresholds.ThresholdMove, and with it verdicts
    results_changed = Signal()  # runs, results or reviews
    golden_changed = Signal()  # the golden set, what is known of it, or its records
    settings_changed = Signal()  # any setting, the theme too
    job_event = Signal(object)  # inspector.domain.JobEvent, on the GUI thread
    stations_changed = Signal()  # set up otherwise, added, removed
    role_changed = Signal()  # somebody signed in or out, or a role asks for a PIN now
    page_requested = Signal(str)  # "start", "teach", "inspect", "results", "evaluate", "weights" …
    toast_requested = Signal(str, object)
    error_raised = Signal(object)

    def __init__(
        self, runner: JobRunner, settings: Settings | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        runner.setParent(self)
        self.runner = runner
        self.settings = settings if settings is not None else stored_settings.load()
        self.undo = UndoStack(self)
        self.stations = Stations(runner, self)
        self.wanted_result: int | None = None  # to be shown by the page that comes to the front
        self.wanted_among: ResultQuery | None = None  # and the results to step through from there
        self.signed_in: Role | None = None  # who gave a PIN for the open project
        self._signed = ""  # her name
        self._project: Project | None = None
        runner.job_event.connect(self.job_event)

    @property
    def project(self) -> Project | None:
        return self._project

    def set_project(self, project: Project | None) -> None:
        if project is not self._project:
            self._project, self.signed_in, self._signed = project, None, ""
            self._sign()
            self.undo.clear()
            self.stations.forget()
            self.project_changed.emit()

    def query(
        self,
        owner: QObject,
        read: Callable[[Project], T],
        done: Callable[[T], None],
        *,
        failed: Callable[[BaseException], None] | None = None,
        latest: str = "",
        priority: int = 0,
    ) -> bool:
        """Read from the open project off the GUI thread, then `done(value)` on it; False where none is open.

        An answer is dropped when another project is open by then, when `owner` is gone, or, with `latest`, when a newer
        answer of that name came first (see `JobRunner.read`). An error is shown unless `failed` takes it.
        """
        project = self._project
        if project is None:
            return False
        self.runner.read(
            owner,
            partial(read, project),
            partial(self._answered, project, done),
            partial(self._answered, project, failed or self.show_error),
            priority,
            latest,
        )
        return True

    def change(
        self,
        owner: QObject,
        write: Callable[[Project], T],
        done: Callable[[T], None] | None = None,
        failed: Callable[[BaseException], None] | None = None,
    ) -> bool:
        """Write to the open project, after all that was asked for before; False, with a sentence to the user, where
        nothing can be written. `done`, `failed`: as in `query`."""
        project = self.writable()
        if project is None:
            return False
        self.runner.write(
            owner,
            partial(_by_hand, project, self.signed_in, write),
            partial(self._answered, project, done or (lambda _value: None)),
            partial(self._answered, project, failed or self.show_error),
        )
        return True

    def may(self, deed: Deed) -> bool:
        """Whether who is signed in may do it; if not, the window says who may, and asks for her PIN. `change` holds to the same
        whatever was asked before: nobody stores what she may not do."""
        from inspector.records.line.roles import may, refusal

        if self._project is None or may(self._project, self.signed_in, deed):
            return True
        self.show_error(refusal(deed))
        return False

    def sign_in(self, role: Role | None, who: str = "") -> None:
        """Who uses the window from now on, by name until she signs out; None: somebody without a PIN. Nobody takes back what
        another did."""
        self.signed_in, self._signed = role, who if role else ""
        self._sign()
        self.undo.clear()
        self.role_changed.emit()

    def writable(self) -> Project | None:
        """The open project, or None after saying why nothing can be changed."""
        project = self._project
        if project is not None and project.read_only:
            self.show_error(
                ProjectError(
                    f"The project “{project.name}” is open for viewing only: nothing was changed.",
                    self._why(project),
                )
            )
            return None
        return project

    @property
    def viewing_only(self) -> str:
        """Why nothing can be changed, in a sentence; "" when it can."""
        project = self._project
        return f"Open for viewing only. {self._why(project)}" if project and project.read_only else ""

    def _why(self, project: Project) -> str:
        return f"{project.note} {_COPY}" if project.note else _ELSEWHERE

    def _answered(self, project: Project, done: Callable[[T], None], value: T) -> None:
        if project is self._project:
            done(value)

    def save_settings(self) -> None:
        """Tell everybody, and keep the settings. What can't be written becomes a toast: it holds until the window closes."""
        self.runner.write(
            self,
            partial(stored_settings.save, replace(self.settings)),
            lambda _none: None,
            lambda error: (
                self.toast(str(error)) if isinstance(error, SettingsError) else self.show_error(error)
            ),
        )
        self._sign()
        self.settings_changed.emit()

    @property
    def who(self) -> str:
        """Who uses the window, as far as she said."""
        return self._signed or self.settings.reviewer

    @property
    def signed_name(self) -> str:
        """The name under which somebody signed in with a PIN; "" where nobody did, or without a name."""
        return self._signed

    def _sign(self) -> None:
        """What is done from now on is done by who signed in, else by who is named in the settings."""
        if self._project is not None:
            self._project.who = self.who

    def go(self, page: str) -> None:
        self.page_requested.emit(page)

    def show_result(self, result_id: int, page: str = "inspect", among: ResultQuery | None = None) -> None:
        """Bring one result in sight on the Inspect page or, with `page`, on Results; `among` those to step through."""
        self.wanted_result, self.wanted_among = result_id, among
        self.go(page)

    def toast(self, text: str, undo: Callable[[], None] | None = None) -> None:
        """One line at the foot of the window for a few seconds, with an Undo button where `undo` is given."""
        self.toast_requested.emit(text, undo)

    def show_error(self, error: BaseException) -> None:
        """An `InspectorError` is shown with its next step, in the window; anything else goes to the log too."""
        self.error_raised.emit(error)


def _by_hand(project: Project, signed_in: Role | None, write: Callable[[Project], T]) -> T:
    from inspector.records.line.roles import acting_as

    with acting_as(project, signed_in):
        return write(project)
