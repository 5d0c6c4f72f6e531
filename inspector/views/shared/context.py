"""What every page of the window shares: the open project, the runner, the settings, and what changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoGroup

from inspector import settings as stored_settings
from inspector.settings import Settings
from inspector.views.shared.job_runner import JobRunner

if TYPE_CHECKING:
    from inspector.records.project import Project


class WindowContext(QObject):
    """One per window. Signals carry no rows: who needs them reads them through `runner.read`.

    A page is a QWidget made with the context alone, for instance `InspectPage(context)`. It may have
    `accept_paths(paths: list[Path]) -> None` (files dropped anywhere on the window or chosen by Import),
    `activated() -> None` (it came to the front), `drop_text: str` (what a drop will do), `shortcuts: list[tuple[str,
    str]]` (keys and words for Help), `export() -> None` (Ctrl+E) and a QUndoStack made with `context.undo_group`.
    """

    project_changed = Signal()  # another project, or None, is open
    classes_changed = Signal()  # classes or their shots
    detectors_changed = Signal()  # taught, chosen, or their thresholds
    results_changed = Signal()  # runs, results or reviews
    settings_changed = Signal()  # any setting, the theme too
    job_event = Signal(object)  # inspector.domain.JobEvent, on the GUI thread
    page_requested = Signal(str)  # "start", "teach", "inspect", "results", "evaluate", "weights" …
    toast_requested = Signal(str, object)
    error_raised = Signal(object)

    def __init__(
        self, runner: JobRunner, settings: Settings | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.runner = runner
        self.settings = settings if settings is not None else stored_settings.load()
        self.undo_group = QUndoGroup(self)
        self.wanted_result: int | None = None  # to be shown by the Inspect page when it comes to the front
        self._project: Project | None = None
        runner.job_event.connect(self.job_event)

    @property
    def project(self) -> Project | None:
        return self._project

    def set_project(self, project: Project | None) -> None:
        if project is not self._project:
            self._project = project
            self.project_changed.emit()

    def save_settings(self) -> None:
        """Keep the settings and tell everybody. A folder that can't be written becomes a toast, not an error."""
        try:
            stored_settings.save(self.settings)
        except OSError as error:
            self.toast(f"Preferences could not be saved: {error.strerror}.")
        self.settings_changed.emit()

    def go(self, page: str) -> None:
        self.page_requested.emit(page)

    def show_result(self, result_id: int) -> None:
        """Open one result on the Inspect page."""
        self.wanted_result = result_id
        self.go("inspect")

    def toast(self, text: str, undo: Callable[[], None] | None = None) -> None:
        """One line at the foot of the window for a few seconds, with an Undo button where `undo` is given."""
        self.toast_requested.emit(text, undo)

    def show_error(self, error: BaseException) -> None:
        """An `InspectorError` is shown with its next step, in the window; anything else goes to the log too."""
        self.error_raised.emit(error)
